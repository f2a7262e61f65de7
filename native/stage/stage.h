#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "activation_pool.h"
#include "compute_threads.h"
#include "counters.h"
#include "decode_batch.h"
#include "decode_request.h"
#include "error.h"
#include "job_queue.h"
#include "loaded_model.h"
#include "sampler.h"

namespace exo {

// NativeDecodeResult of src/native/bindings.ts.
struct DecodeResult {
    PooledBuffer                     activations;
    std::vector<std::vector<Sample>> samples;
    std::vector<float>               logits;
    // For each sequence with rows that are wanted, in the order of the first of them: the sum of their states.
    std::vector<float>               pooled;
    // Times that this addon copied the micro-batch's hidden states, on arrival and for the next stage.
    int                              copies               = 0;
    // On the stage's thread, but for the wait for its turn among the stages of the process.
    int64_t                          compute_microseconds = 0;
    // Behind earlier jobs of the stage, and behind its neighbours' turns. To wake the thread up is part of neither.
    int64_t                          queue_microseconds   = 0;
    // Part of the computing: choosing tokens, when the logits were there.
    int64_t                          sampling_microseconds = 0;
};

// A layer range with its KV cache, its own thread and a bounded queue in front of it. Only that thread touches
// llama.cpp's context. Callbacks come on it, too, except where a job is refused at once: then the call throws.
class Stage {
  public:
    static constexpr size_t queue_capacity = 64;

    Stage();
    // Shuts down.
    ~Stage();
    Stage(const Stage &)             = delete;
    Stage & operator=(const Stage &) = delete;

    // Once per stage.
    void load(StageParams params, std::function<void(float)> on_progress, OutcomeCallback<StageInfo> done);
    void decode(DecodeRequest request, OutcomeCallback<DecodeResult> done);
    // Cancels loading, lets the running job end, ends queued ones with `cancelled`, frees everything. Idempotent.
    void close(std::function<void()> done);
    // Aborts the running job, too, and waits for the thread. Not from one of its own callbacks.
    void shut_down();

    std::shared_ptr<Sampler> create_sampler(const SamplerParams & params);

    // The loaded model; throws `not_ready` before it is loaded and after closing began. The pointer stays good until
    // the thread that calls `close` has called it.
    LoadedModel & model() const;

  private:
    using Clock = std::chrono::steady_clock;

    struct Job {
        std::function<void()>                   run;
        std::function<void(const StageError &)> refuse;
    };

    void          enqueue(Job job);
    void          work();
    void          release();
    DecodeResult  compute(const DecodeRequest & request);
    void          apply_kv_operations(const DecodeRequest & request);
    void          run_batch(const DecodeRequest & request);
    const float * input_rows(const DecodeRequest & request);
    void          collect_activations(const DecodeRequest & request, DecodeResult & result);
    void          collect_logits(const DecodeRequest & request, DecodeResult & result);
    void          collect_pooled(const DecodeRequest & request, DecodeResult & result);
    const float * output_states(const DecodeRequest & request, size_t width);
    void          choose_result(const DecodeRequest & request);

    std::vector<Sample> sample_run(const SampleRequest & wanted, const std::vector<Row> & rows, DecodeResult & result);

    Counted<&Counters::stages> counted_;
    JobQueue<Job>              queue_{ queue_capacity };
    std::atomic<bool>          closing_{ false };
    std::atomic<bool>          aborted_{ false };
    std::atomic<bool>          load_asked_{ false };

    mutable std::mutex                   mutex_;  // guards what follows
    std::shared_ptr<LoadedModel>         model_;
    std::vector<std::weak_ptr<Sampler>>  samplers_;
    std::vector<std::function<void()>>   on_closed_;
    bool                                 closed_ = false;

    // only the stage's thread
    DecodeBatch          batch_;
    std::vector<float>   input_;
    std::vector<float>   gathered_;              // states of the rows that are wanted, where llama.cpp gives all
    bool                 input_copied_ = false;  // the last decode could not read its hidden states in place
    size_t               outputs_      = 0;      // rows that the last decode gives results for
    bool                 broken_       = false;
    bool                 embeds_       = false;  // the context was told to give states, not logits
    ComputeThreads::Wait turn_wait_;             // of the last decode
    Clock::time_point    free_since_;            // end of the last decode

    std::thread thread_;
};

}  // namespace exo
