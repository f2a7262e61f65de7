#if defined(__linux__)
#    include <sched.h>
#endif

#include "../stage/stage.h"

#include <filesystem>
#include <future>

#include "../stage/devices.h"
#include "../stage/host_memory.h"
#include "check.h"
#include "loaded_stage.h"
#include "tiny_model.h"

using namespace exo;
using exo::test::decode;
using exo::test::load;
using exo::test::some_rows;
using exo::test::tiny_layers;
using exo::test::tiny_vocabulary;
using exo::test::tiny_width;
using exo::test::Waiter;

namespace {

using exo::test::logits_of;

std::string model_path;

StageParams params_for(int begin, int end, bool output) {
    return exo::test::params_for(model_path, begin, end, output);
}

// Through all stages in turn, hidden states handed on as f32.
std::vector<float> logits_of(std::vector<std::unique_ptr<Stage>> & stages, const std::vector<Row> & rows) {
    PooledBuffer hidden;
    for (auto & stage : stages) {
        DecodeRequest request;
        request.rows        = rows;
        request.activations = hidden.data();
        request.want_logits = stage == stages.back();
        auto result         = decode(*stage, std::move(request));
        if (stage == stages.back()) return result.logits;
        CHECK(result.activations.size() == rows.size() * tiny_width * sizeof(float));
        hidden = std::move(result.activations);
    }
    return {};
}

std::vector<std::unique_ptr<Stage>> load_all(const std::vector<StageParams> & ranges) {
    std::vector<std::unique_ptr<Stage>> stages;
    for (const auto & params : ranges) stages.push_back(load(params));
    return stages;
}

void stages_equal_the_whole_model() {
    const auto whole = load(params_for(0, tiny_layers, true));
    auto       ring  = load_all({ params_for(0, 1, false), params_for(1, tiny_layers, false),
                                  params_for(tiny_layers, tiny_layers, true) });
    auto       line  = load_all({ params_for(0, 2, false), params_for(2, tiny_layers, true) });
    for (const auto & rows : { some_rows(0, 0, 20), some_rows(1, 0, 9), some_rows(0, 20, 1), some_rows(1, 9, 3) }) {
        const auto expected = logits_of(*whole, rows);
        CHECK(expected.size() == rows.size() * tiny_vocabulary);
        CHECK(logits_of(ring, rows) == expected);
        CHECK(logits_of(line, rows) == expected);
    }
}

// So that it does not interrupt the event loop that wakes it. The callback runs on the stage's thread.
void a_stage_computes_as_batch_work() {
#if defined(__linux__)
    int               policy = -1;
    Stage             stage;
    Waiter<StageInfo> waiter;
    stage.load(params_for(0, tiny_layers, true), [](float) {}, [&, done = waiter.callback()](Outcome<StageInfo> loaded) {
        policy = sched_getscheduler(0);
        done(std::move(loaded));
    });
    waiter.wait();
    CHECK(policy == SCHED_BATCH);
#endif
}

void kv_operations_leave_what_a_fresh_run_has() {
    const auto stage = load(params_for(0, tiny_layers, true));
    const auto fresh = logits_of(*stage, some_rows(0, 0, 12));
    const auto after = logits_of(*stage, some_rows(0, 12, 1));

    // cut back to 12, copy to the other sequence, and go on there
    DecodeRequest request;
    request.kv_operations = { { KvOperation::remove, 0, 0, 12, -1, 0 }, { KvOperation::copy, 0, 1, 0, -1, 0 } };
    request.rows          = some_rows(0, 12, 1);
    request.rows[0].sequence = 1;
    request.want_logits      = true;
    CHECK(decode(*stage, std::move(request)).logits == after);

    // keep 1 drops 0, which then starts anew
    DecodeRequest keep;
    keep.kv_operations = { { KvOperation::keep, 1, 0, 0, -1, 0 } };
    CHECK(decode(*stage, std::move(keep)).logits.empty());
    CHECK(logits_of(*stage, some_rows(0, 0, 12)) == fresh);
}

void bad_states_are_errors() {
    const auto stage = load(params_for(0, tiny_layers, true));
    logits_of(*stage, some_rows(0, 0, 4));
    // a gap in the positions
    CHECK_THROWS(ErrorCode::invalid_argument, logits_of(*stage, some_rows(0, 9, 1)));
    // and the stage goes on
    CHECK(logits_of(*stage, some_rows(0, 4, 1)).size() == tiny_vocabulary);
    CHECK_THROWS(ErrorCode::invalid_argument, load(params_for(0, tiny_layers + 1, true)));
    CHECK_THROWS(ErrorCode::invalid_argument, load(params_for(0, 2, true)));
    CHECK_THROWS(ErrorCode::invalid_argument, load(params_for(2, 2, false)));
    // far too much, and just too much: the second is seen by the trial run
    auto huge         = params_for(0, tiny_layers, true);
    huge.context_size = INT32_MAX / 2;
    CHECK_THROWS(ErrorCode::out_of_memory, load(huge));
    huge.context_size = static_cast<uint32_t>(host_memory().available / 1024);
    huge.kv_type_k = huge.kv_type_v = GGML_TYPE_F32;
    CHECK_THROWS(ErrorCode::out_of_memory, load(huge));
}

void closing_ends_everything() {
    const auto before = Counters::shared().stages.load();
    {
        Stage             stage;
        Waiter<StageInfo> loading;
        stage.load(params_for(0, tiny_layers, true), [](float) {}, loading.callback());
        std::vector<Waiter<DecodeResult>> waiting(8);
        std::promise<void>                closed;
        loading.wait();
        for (auto & waiter : waiting) {
            DecodeRequest request;
            request.kv_operations = { { KvOperation::remove, -1, 0, 0, -1, 0 } };
            request.rows          = some_rows(0, 0, 32);
            stage.decode(std::move(request), waiter.callback());
        }
        stage.close([&] { closed.set_value(); });
        closed.get_future().wait();
        // each was either done or cancelled
        for (auto & waiter : waiting) {
            try {
                waiter.wait();
            } catch (const StageError & error) {
                CHECK(error.code() == ErrorCode::cancelled);
            }
        }
        bool again = false;
        stage.close([&] { again = true; });
        CHECK(again);
        CHECK_THROWS(ErrorCode::cancelled, stage.model());
    }
    CHECK(Counters::shared().stages == before);
}

void loading_can_be_cancelled() {
    Stage             stage;
    Waiter<StageInfo> loading;
    std::promise<void> began;
    stage.load(params_for(0, tiny_layers, true),
               [&, first = true](float) mutable {
                   if (first) began.set_value();
                   first = false;
                   while (!Counters::shared().stages) std::this_thread::yield();
               },
               loading.callback());
    began.get_future().wait();
    stage.close([] {});
    try {
        loading.wait();
    } catch (const StageError & error) {
        CHECK(error.code() == ErrorCode::cancelled);
    }
}

}  // namespace

int main() {
    load_backends(EXO_LIBRARY_DIR);
    const auto now       = std::chrono::steady_clock::now().time_since_epoch().count();
    const auto directory = std::filesystem::temp_directory_path() / ("exo-stage-test-" + std::to_string(now));
    std::filesystem::create_directories(directory);
    model_path = (directory / "tiny.gguf").string();
    exo::test::write_tiny_model(model_path);
    stages_equal_the_whole_model();
    a_stage_computes_as_batch_work();
    kv_operations_leave_what_a_fresh_run_has();
    bad_states_are_errors();
    closing_ends_everything();
    loading_can_be_cancelled();
    std::filesystem::remove_all(directory);
}
