#include <cmath>

#include "environment.h"
#include "exports.h"
#include "fields.h"
#include "handles.h"
#include "settle.h"
#include "stage_params_reader.h"
#include "stage_results.h"

namespace exo {
namespace {

// A progress bar is no finer, and the event loop has better things to do.
constexpr float progress_step = 0.01f;

std::function<void(float)> progress_for(Environment & environment, uint64_t number) {
    auto & queue = environment.queue();
    return [&queue, number, reported = -1.0f](float fraction) mutable {
        if (fraction - reported < progress_step && fraction < 1.0f) return;
        reported = fraction;
        queue.post([number, fraction](Napi::Env env) {
            const auto * callback = Environment::of(env).callback_of(number);
            if (callback != nullptr) callback->Call({ Napi::Number::New(env, std::round(fraction * 1e4) / 1e4) });
        });
    };
}

SampleRequest read_sample_request(const Napi::Value & value, const std::string & path) {
    const Fields fields(value, path);
    return { fields.uint32("row"), fields.uint32("drafted"), sampler_of(fields.value("sampler"), fields.path_of("sampler")),
             fields.int32("logprobs") };
}

// `keep_alive` gets what the batch's pointers point into.
RawBatch read_batch(const Napi::Value & value, std::vector<Napi::ObjectReference> & keep_alive) {
    const Fields fields(value, "batch");
    const auto   rows       = fields.bytes("rows");
    const auto   operations = fields.int32s("kv_operations");
    RawBatch     batch;
    batch.rows                = rows.Data();
    batch.rows_length         = rows.ByteLength();
    batch.kv_operations       = operations.Data();
    batch.kv_operations_count = operations.ElementLength();
    if (!fields.is_null("activations")) {
        const auto activations   = fields.bytes("activations");
        batch.activations        = activations.Data();
        batch.activations_length = activations.ByteLength();
        keep_alive.push_back(Napi::Persistent(activations.As<Napi::Object>()));
    }
    batch.activation_type     = activation_type_from_name(fields.text("activation_type"));
    batch.result_type         = activation_type_from_name(fields.text("result_type"));
    batch.result_head_room    = fields.uint32("result_head_room");
    batch.result_outputs_only = fields.boolean("result_outputs_only");
    batch.want_logits         = fields.boolean("want_logits");
    batch.want_pooled         = fields.boolean("want_pooled");
    const auto samples        = fields.array("samples");
    for (uint32_t index = 0; index < samples.Length(); ++index) {
        const auto path = fields.path_of("samples") + "[" + std::to_string(index) + "]";
        batch.samples.push_back(read_sample_request(samples[index], path));
    }
    return batch;
}

// Queues a job for a stage and returns the promise that it settles; a job that is refused at once rejects it.
template <typename Enqueue>
Napi::Value promise_of(Napi::Env env, std::unique_ptr<PendingPromise> pending, const Enqueue & enqueue) {
    auto &     environment = Environment::of(env);
    const auto promise     = pending->deferred.Promise();
    const auto number      = environment.add_promise(std::move(pending));
    try {
        enqueue(environment, number);
    } catch (...) {
        environment.take_promise(number)->deferred.Reject(to_js_error(env, current_error()).Value());
    }
    return promise;
}

}  // namespace

// stage_plan(params: NativeStageParams): NativeStageMemory
Napi::Value stage_plan(const Napi::CallbackInfo & info) {
    return to_js(info.Env(), StageMemory{ plan_memory(read_stage_params(info[0])), 0, 0, {} });
}

// stage_create(): StageHandle
Napi::Value stage_create(const Napi::CallbackInfo & info) {
    auto       stage  = std::make_shared<Stage>();
    const auto number = Environment::of(info.Env()).add_stage(stage);
    return new_stage_handle(info.Env(), std::move(stage), number);
}

// stage_load(stage: StageHandle, params: NativeStageParams, on_progress: (fraction: number) => void): Promise<NativeStageInfo>
Napi::Value stage_load(const Napi::CallbackInfo & info) {
    const auto stage    = stage_of(info[0], "stage");
    auto       params   = read_stage_params(info[1]);
    auto       pending  = std::make_unique<PendingPromise>(info.Env());
    pending->callback   = Napi::Persistent(function_argument(info, 2, "on_progress"));
    // the handle must not be collected, and the stage with it, while it loads
    pending->kept_alive.push_back(Napi::Persistent(info[0].As<Napi::Object>()));
    return promise_of(info.Env(), std::move(pending), [&](Environment & environment, uint64_t number) {
        stage->load(std::move(params), progress_for(environment, number),
                    settle_with<StageInfo>(environment, number,
                                           [](Napi::Env env, const StageInfo & loaded) { return to_js(env, loaded); }));
    });
}

// stage_memory(stage: StageHandle): NativeStageMemory
Napi::Value stage_memory(const Napi::CallbackInfo & info) {
    return to_js(info.Env(), stage_of(info[0], "stage")->model().memory());
}

// stage_decode(stage: StageHandle, batch: NativeBatch): Promise<NativeDecodeResult>
Napi::Value stage_decode(const Napi::CallbackInfo & info) {
    const auto stage   = stage_of(info[0], "stage");
    auto       pending = std::make_unique<PendingPromise>(info.Env());
    pending->kept_alive.push_back(Napi::Persistent(info[0].As<Napi::Object>()));
    auto request = check_batch(*stage, read_batch(info[1], pending->kept_alive));
    return promise_of(info.Env(), std::move(pending), [&](Environment & environment, uint64_t number) {
        stage->decode(std::move(request),
                      settle_with<DecodeResult>(environment, number, [](Napi::Env env, DecodeResult & decoded) {
                          return to_js(env, decoded);
                      }));
    });
}

// stage_close(stage: StageHandle): Promise<void>
Napi::Value stage_close(const Napi::CallbackInfo & info) {
    auto & holder  = stage_holder(info[0], "stage");
    auto   pending = std::make_unique<PendingPromise>(info.Env());
    if (!holder.stage) {
        pending->deferred.Resolve(info.Env().Undefined());
        return pending->deferred.Promise();
    }
    pending->kept_alive.push_back(Napi::Persistent(info[0].As<Napi::Object>()));
    return promise_of(info.Env(), std::move(pending), [&](Environment & environment, uint64_t number) {
        auto & queue = environment.queue();
        holder.stage->close([&queue, number] {
            queue.post([number](Napi::Env env) {
                auto &     current = Environment::of(env);
                const auto promise = current.take_promise(number);
                if (!promise) return;
                auto & closed = stage_holder(promise->kept_alive.front().Value(), "stage");
                current.remove_stage(closed.number);
                closed.stage.reset();
                promise->deferred.Resolve(env.Undefined());
            });
        });
    });
}

}  // namespace exo
