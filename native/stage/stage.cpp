#include "stage.h"

#include <algorithm>
#include <cstring>

#include "abort_guard.h"
#include "batch_thread.h"
#include "log_router.h"
#include "text.h"

#include "../src/exo-text.h"

namespace exo {
namespace {

StageError closed_error() {
    return StageError(ErrorCode::cancelled, "The stage was closed.");
}

int64_t microseconds(std::chrono::steady_clock::duration time) {
    return std::chrono::duration_cast<std::chrono::microseconds>(time).count();
}

// llama_decode's return codes, as llama.h documents them.
void check_decode_status(int32_t status, size_t rows, const std::string & reason) {
    if (status == 0) return;
    const auto because = reason.empty() ? std::string() : " (" + reason + ")";
    if (reason.find(EXO_NO_EMBEDDINGS) != std::string::npos) {
        throw StageError(ErrorCode::unsupported, "No embeddings can be had of this model" + because + ".");
    }
    switch (status) {
        case 1:
            throw StageError(ErrorCode::context_exceeded,
                             format("The KV cache has no room for %zu more rows%s; end or shorten some sequences.",
                                    rows, because.c_str()));
        case 2:
            throw StageError(ErrorCode::cancelled, "The computation was aborted.");
        case -1:
            throw StageError(ErrorCode::invalid_argument, "llama.cpp refused the micro-batch" + because + ".");
        default:
            throw StageError(ErrorCode::internal, format("The computation failed with status %d%s.", status,
                                                         because.c_str()));
    }
}

}  // namespace

Stage::Stage() : thread_([this] { work(); }) {}

Stage::~Stage() {
    shut_down();
}

void Stage::shut_down() {
    aborted_ = true;
    close([] {});
    if (thread_.joinable()) thread_.join();
}

LoadedModel & Stage::model() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (closing_) throw closed_error();
    if (!model_) throw StageError(ErrorCode::not_ready, "The stage is not loaded yet.");
    return *model_;
}

void Stage::enqueue(Job job) {
    const auto refuse = job.refuse;
    switch (queue_.push(std::move(job))) {
        case JobQueue<Job>::Push::queued: return;
        case JobQueue<Job>::Push::closed: throw closed_error();
        case JobQueue<Job>::Push::full:
            throw StageError(ErrorCode::overloaded,
                             format("%zu jobs wait for this stage already; try again later.", queue_capacity));
    }
}

void Stage::load(StageParams params, std::function<void(float)> on_progress, OutcomeCallback<StageInfo> done) {
    if (load_asked_.exchange(true)) {
        throw StageError(ErrorCode::invalid_argument, "This stage was loaded before; create another one.");
    }
    const auto run = [this, params = std::move(params), on_progress = std::move(on_progress), done] {
        try {
            const AbortGuard guard;
            auto             model = std::make_shared<LoadedModel>(params, on_progress, closing_, aborted_);
            const auto       info  = model->info();
            embeds_ = info.whole_texts;
            {
                const std::lock_guard<std::mutex> lock(mutex_);
                model_ = std::move(model);
            }
            done(info);
        } catch (...) {
            // what ggml finds inconsistent while loading is the file's fault
            const auto error = current_error();
            done(error.code() == ErrorCode::internal ? StageError(ErrorCode::invalid_model, error.what()) : error);
        }
    };
    enqueue({ run, [done](const StageError & error) { done(error); } });
}

void Stage::decode(DecodeRequest request, OutcomeCallback<DecodeResult> done) {
    const auto queued = Clock::now();
    auto       shared = std::make_shared<DecodeRequest>(std::move(request));
    const auto run    = [this, shared, queued, done] {
        const auto started     = Clock::now();
        const auto behind_jobs = std::max(Clock::duration(0), free_since_ - queued);
        try {
            auto result                 = compute(*shared);
            free_since_                 = Clock::now();
            result.queue_microseconds   = microseconds(behind_jobs + turn_wait_.behind_others);
            result.compute_microseconds = microseconds(free_since_ - started - turn_wait_.all);
            done(std::move(result));
        } catch (...) {
            free_since_ = Clock::now();
            done(current_error());
        }
    };
    enqueue({ run, [done](const StageError & error) { done(error); } });
}

void Stage::close(std::function<void()> done) {
    {
        const std::lock_guard<std::mutex> lock(mutex_);
        closing_ = true;
        if (!closed_) {
            on_closed_.push_back(std::move(done));
            done = nullptr;
        }
    }
    for (auto & job : queue_.close()) job.refuse(closed_error());
    if (done) done();
}

std::shared_ptr<Sampler> Stage::create_sampler(const SamplerParams & params) {
    const auto & loaded = model();
    if (!loaded.params().has_output && !loaded.params().vocab_only) {
        throw StageError(ErrorCode::invalid_argument, "This stage has no output head, so it has nothing to sample.");
    }
    auto sampler = std::make_shared<Sampler>(this, loaded.model(), params, loaded.info().context_size);
    const std::lock_guard<std::mutex> lock(mutex_);
    samplers_.erase(std::remove_if(samplers_.begin(), samplers_.end(),
                                   [](const auto & known) { return known.expired(); }),
                    samplers_.end());
    samplers_.push_back(sampler);
    return sampler;
}

void Stage::work() {
    make_this_thread_batch();
    while (auto job = queue_.pop()) job->run();
    release();
}

// Runs once, at the thread's end. Samplers hold on to the model's vocabulary, so they go first.
void Stage::release() {
    std::vector<std::function<void()>> callbacks;
    std::shared_ptr<LoadedModel>       model;
    {
        const std::lock_guard<std::mutex> lock(mutex_);
        for (const auto & known : samplers_) {
            if (const auto sampler = known.lock()) sampler->close();
        }
        samplers_.clear();
        model.swap(model_);
    }
    model.reset();
    {
        const std::lock_guard<std::mutex> lock(mutex_);
        closed_ = true;
        callbacks.swap(on_closed_);
    }
    for (const auto & callback : callbacks) callback();
}

// The order of a micro-batch: KV operations, rows, then what was asked of them.
//
// Copies of a hidden state by this addon, per hop: one, from llama.cpp's output buffer into the pooled buffer that
// travels (where f16 and q8_0 are converted), and none on arrival: llama.cpp reads f32 out of the frame itself. A frame
// that is not 4-byte aligned, or not f32, costs one more.
DecodeResult Stage::compute(const DecodeRequest & request) {
    if (broken_) {
        throw StageError(ErrorCode::stage_lost, "The stage failed before in a way that its state may be wrong; load it "
                                                "again.");
    }
    const AbortGuard guard;
    try {
        DecodeResult result;
        turn_wait_ = {};
        apply_kv_operations(request);
        if (request.rows.empty()) return result;
        run_batch(request);
        if (input_copied_) ++result.copies;
        if (model_->params().has_output) {
            for (const auto & wanted : request.samples) {
                result.samples.push_back(sample_run(wanted, request.rows, result));
            }
            if (request.want_logits) collect_logits(request, result);
            if (request.want_pooled) collect_pooled(request, result);
        } else {
            collect_activations(request, result);
        }
        return result;
    } catch (...) {
        const auto error = current_error();
        if (error.code() != ErrorCode::internal) throw error;
        broken_ = true;
        throw StageError(ErrorCode::stage_lost, format("The stage failed in a way that its state may be wrong; load it "
                                                       "again. The reason: %s", error.what()));
    }
}

void Stage::apply_kv_operations(const DecodeRequest & request) {
    auto * memory = llama_get_memory(model_->context());
    // nothing is kept where there are no layers
    if (memory == nullptr || model_->params().is_head_only()) return;
    for (const auto & operation : request.kv_operations) {
        apply_kv_operation(memory, operation, model_->kv_traits());
    }
}

// The rows' hidden states as llama.cpp takes them: in place where that is possible.
const float * Stage::input_rows(const DecodeRequest & request) {
    input_copied_ = false;
    if (model_->params().has_embedding()) return nullptr;
    const bool aligned = reinterpret_cast<uintptr_t>(request.activations) % alignof(float) == 0;
    if (request.activation_type == ActivationType::f32 && aligned) {
        return reinterpret_cast<const float *>(request.activations);
    }
    input_copied_      = true;
    const size_t width = model_->limits().input_size;
    input_.resize(request.rows.size() * width);
    decode_activations(request.activation_type, request.activations, request.rows.size(), width, input_.data());
    return input_.data();
}

void Stage::run_batch(const DecodeRequest & request) {
    choose_result(request);
    const bool all_outputs = !model_->params().has_output && !request.result_outputs_only;
    const auto batch = batch_.build(request.rows, input_rows(request), all_outputs || !model_->info().keeps_cache);
    const LogCapture           log;
    const ComputeThreads::Turn turn(model_->threads());
    turn_wait_ = turn.wait();
    const int32_t              status = model_->threads().decode(batch);
    check_decode_status(status, request.rows.size(), log.reason());
    const auto wanted = std::count_if(request.rows.begin(), request.rows.end(), [](const Row & row) { return row.output; });
    outputs_          = all_outputs ? request.rows.size() : static_cast<size_t>(wanted);
    model_->note_outputs(outputs_);
}

// At the output head: logits, or the states that they would be made of.
void Stage::choose_result(const DecodeRequest & request) {
    const bool embeds = request.want_pooled || model_->info().encoder;
    if (!model_->params().has_output || embeds_ == embeds) return;
    llama_set_embeddings(model_->context(), embeds);
    embeds_ = embeds;
}

// Of the rows that are wanted, in their order.
const float * Stage::output_states(const DecodeRequest & request, size_t width) {
    const float * states = llama_get_embeddings(model_->context());  // waits for the computation
    if (states == nullptr) throw StageError(ErrorCode::internal, "The stage computed no hidden states.");
    if (model_->info().keeps_cache || outputs_ == request.rows.size()) return states;
    // Of models without a cache llama.cpp gives every row.
    gathered_.clear();
    for (size_t row = 0; row < request.rows.size(); ++row) {
        if (request.rows[row].output) gathered_.insert(gathered_.end(), states + row * width, states + (row + 1) * width);
    }
    return gathered_.data();
}

void Stage::collect_activations(const DecodeRequest & request, DecodeResult & result) {
    if (outputs_ == 0) return;
    const size_t  width  = model_->limits().output_size;
    const float * states = output_states(request, width);
    const size_t  bytes = outputs_ * activation_row_bytes(request.result_type, width);
    PooledBuffer buffer(request.result_head_room + bytes);
    std::memset(buffer.data(), 0, request.result_head_room);
    encode_activations(request.result_type, states, outputs_, width, buffer.data() + request.result_head_room);
    result.activations = std::move(buffer);
    ++result.copies;
}

// Samples row after row as long as each choice is the token that was drafted for the next row. What lies behind the
// first other choice was computed for nothing, and the sampler never sees it.
std::vector<Sample> Stage::sample_run(const SampleRequest & wanted, const std::vector<Row> & rows,
                                      DecodeResult & result) {
    auto *              context = model_->context();
    std::vector<Sample> run;
    for (size_t row = wanted.row;; ++row) {
        const auto index = static_cast<int32_t>(row);
        if (llama_get_logits_ith(context, index) == nullptr) {
            throw StageError(ErrorCode::unsupported, "This model gives no logits, so nothing can be sampled.");
        }
        const auto began = Clock::now();
        run.push_back(wanted.sampler->sample(context, index, wanted.logprobs));
        result.sampling_microseconds += microseconds(Clock::now() - began);
        const auto & chosen = run.back();
        if (row == wanted.row + wanted.drafted || !chosen.error.empty() || chosen.is_end_of_generation ||
            chosen.token != rows[row + 1].token) {
            return run;
        }
    }
}

void Stage::collect_logits(const DecodeRequest & request, DecodeResult & result) {
    const auto size = static_cast<size_t>(model_->limits().vocabulary_size);
    for (size_t row = 0; row < request.rows.size(); ++row) {
        if (!request.rows[row].output) continue;
        const float * logits = llama_get_logits_ith(model_->context(), static_cast<int32_t>(row));
        if (logits == nullptr) throw StageError(ErrorCode::unsupported, "This model gives no logits.");
        result.logits.insert(result.logits.end(), logits, logits + size);
    }
}

// Whether they are many rows to average or one that stands for the text, the sum is what is needed; a text of several
// micro-batches has several sums.
void Stage::collect_pooled(const DecodeRequest & request, DecodeResult & result) {
    if (outputs_ == 0) return;
    const auto           width = static_cast<size_t>(model_->info().pooled_size);
    const float *        state = output_states(request, width);
    std::vector<int64_t> places(model_->params().max_sequences, -1);
    std::vector<double>  sums;
    for (const auto & row : request.rows) {
        if (!row.output) continue;
        auto & place = places[row.sequence];
        if (place < 0) {
            place = static_cast<int64_t>(sums.size());
            sums.resize(sums.size() + width);
        }
        double * sum = sums.data() + place;
        for (size_t index = 0; index < width; ++index) sum[index] += state[index];
        state += width;
    }
    result.pooled.assign(sums.begin(), sums.end());
}

}  // namespace exo
