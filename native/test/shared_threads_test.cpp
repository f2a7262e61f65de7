#include <atomic>
#include <chrono>
#include <filesystem>
#include <memory>
#include <thread>

#include "../stage/devices.h"
#include "../stage/loaded_model.h"
#include "check.h"
#include "loaded_stage.h"
#include "tiny_model.h"

using namespace exo;
using namespace exo::test;

namespace {

std::string model_path;

constexpr int rounds    = 2;
constexpr int tiny_rows = 16;

StageParams with_threads(StageParams params, int threads, int batch_threads) {
    params.threads       = threads;
    params.batch_threads = batch_threads;
    return params;
}

// A prompt and tokens after it, again and again, from a thread of its own.
std::vector<float> answers_of(Stage & stage) {
    std::vector<float> all;
    for (int round = 0; round < rounds; ++round) {
        DecodeRequest request;
        request.kv_operations = { { KvOperation::remove, 0, 0, 0, -1, 0 } };
        request.rows          = some_rows(0, 0, 16);
        request.want_logits   = true;
        const auto prompt     = decode(stage, std::move(request)).logits;
        const auto token      = logits_of(stage, some_rows(0, 16, 1));
        all.insert(all.end(), prompt.begin(), prompt.end());
        all.insert(all.end(), token.begin(), token.end());
    }
    return all;
}

std::vector<float> outputs_of(Stage & head) {
    std::vector<float> states(size_t(4) * tiny_width);
    for (size_t index = 0; index < states.size(); ++index) states[index] = float(index % 17) - 8;
    std::vector<float> all;
    for (int round = 0; round < rounds; ++round) {
        DecodeRequest request;
        request.rows        = some_rows(0, 0, 4);
        request.activations = reinterpret_cast<const uint8_t *>(states.data());
        request.want_logits = true;
        const auto logits   = decode(head, std::move(request)).logits;
        all.insert(all.end(), logits.begin(), logits.end());
    }
    return all;
}

// Three stages of one process at once: two of whole models, and the way back of a head.
void stages_at_once_equal_stages_alone(int threads, int batch_threads) {
    const auto params = with_threads(params_for(model_path, 0, tiny_layers, true), threads, batch_threads);
    const auto back   = with_threads(params_for(model_path, tiny_layers, tiny_layers, true), threads, batch_threads);
    const auto one    = load(params);
    const auto other  = load(params);
    const auto head   = load(back);
    const auto answer = answers_of(*one);
    const auto output = outputs_of(*head);

    std::vector<float> at_once[3];
    std::thread        first([&] { at_once[0] = answers_of(*one); });
    std::thread        second([&] { at_once[1] = answers_of(*other); });
    std::thread        third([&] { at_once[2] = outputs_of(*head); });
    first.join();
    second.join();
    third.join();
    CHECK(at_once[0] == answer);
    CHECK(at_once[1] == answer);
    CHECK(at_once[2] == output);
}

// A stage that ends while others wait for its threads leaves them to those.
void the_threads_outlive_a_stage() {
    const auto params = with_threads(params_for(model_path, 0, tiny_layers, true), 2, 2);
    const auto stays  = load(params);
    const auto answer = answers_of(*stays);
    for (int round = 0; round < 2; ++round) {
        auto               leaves = load(params);
        std::vector<float> at_once;
        std::thread        other([&] { at_once = answers_of(*stays); });
        logits_of(*leaves, some_rows(0, 0, 8));
        leaves.reset();
        other.join();
        CHECK(at_once == answer);
    }
}

DecodeRequest token_at(int position) {
    DecodeRequest request;
    request.rows = some_rows(0, position, 1);
    return request;
}

// An idle stage has no queue: that its thread has to wake up is part of the hop.
void an_idle_stage_has_no_queue() {
    const auto stage = load(with_threads(params_for(model_path, 0, tiny_layers, true), 2, 2));
    for (int position = 0; position < 8; ++position) {
        CHECK(decode(*stage, token_at(position)).queue_microseconds == 0);
    }
}

// While a neighbour has its turn, a micro-batch waits for that, and the next one for both.
void what_waits_for_others_is_queued() {
    const auto           params    = with_threads(params_for(model_path, 0, tiny_layers, true), 2, 2);
    const auto           stage     = load(params);
    const auto           neighbour = load(params);
    const auto           asked     = std::chrono::steady_clock::now();
    Waiter<DecodeResult> first, second;
    {
        const ComputeThreads::Turn turn(neighbour->model().threads());
        stage->decode(token_at(0), first.callback());
        stage->decode(token_at(1), second.callback());
    }
    const auto one   = first.wait();
    const auto other = second.wait();
    const auto all   = std::chrono::steady_clock::now() - asked;
    CHECK(other.queue_microseconds > 0);
    for (const auto * result : { &one, &other }) {
        const auto known = result->compute_microseconds + result->queue_microseconds;
        CHECK(std::chrono::microseconds(known) <= all);
    }
}

int32_t decode_with(LoadedModel & model) {
    llama_memory_clear(llama_get_memory(model.context()), false);
    DecodeBatch                builder;
    const ComputeThreads::Turn turn(model.threads());
    return model.threads().decode(builder.build(some_rows(0, 0, tiny_rows), nullptr, true));
}

std::vector<float> logits_of(LoadedModel & model) {
    CHECK(decode_with(model) == 0);
    const float * logits = llama_get_logits(model.context());
    return std::vector<float>(logits, logits + size_t(tiny_rows) * tiny_vocabulary);
}

// Where ggml looks between two nodes of a graph, as one of its assertions would on the stage's own thread.
bool fail_within_a_graph(void *) {
    throw StageError(ErrorCode::internal, "an assertion of this test");
}

// ggml's other threads then wait for the one that left the graph, for good.
void a_graph_that_is_left_leaves_the_others_right() {
    std::atomic<bool> no{ false };
    const auto        params = with_threads(params_for(model_path, 0, tiny_layers, true), 2, 2);
    const auto        open   = [&] { return std::make_unique<LoadedModel>(params, [](float) {}, no, no); };

    // Never freed: how soon its other threads come to rest is up to the machine.
    auto *     breaks = open().release();
    const auto stays  = open();
    const auto answer = logits_of(*stays);
    llama_set_abort_callback(breaks->context(), fail_within_a_graph, nullptr);
    CHECK(decode_with(*breaks) == -3);
    CHECK(logits_of(*stays) == answer);
    CHECK(logits_of(*open()) == answer);
}

}  // namespace

int main() {
    load_backends(EXO_LIBRARY_DIR);
    const auto now       = std::chrono::steady_clock::now().time_since_epoch().count();
    const auto directory = std::filesystem::temp_directory_path() / ("exo-threads-test-" + std::to_string(now));
    std::filesystem::create_directories(directory);
    model_path = (directory / "tiny.gguf").string();
    write_tiny_model(model_path);
    stages_at_once_equal_stages_alone(1, 1);
    stages_at_once_equal_stages_alone(2, 2);
    stages_at_once_equal_stages_alone(1, 2);
    the_threads_outlive_a_stage();
    an_idle_stage_has_no_queue();
    what_waits_for_others_is_queued();
    a_graph_that_is_left_leaves_the_others_right();
    std::filesystem::remove_all(directory);
}
