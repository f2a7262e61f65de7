#include "handles.h"

#include "environment.h"
#include "fields.h"

namespace exo {
namespace {

// Random once; they tell our handles from other addons' externals and from each other.
constexpr napi_type_tag stage_tag   = { 0x9d1f3a6c27e84b05, 0xb7c2e41f8a5d6093 };
constexpr napi_type_tag sampler_tag = { 0x4e8b52d07af1436e, 0x8c3fd90b61e7a24d };

template <typename Holder>
Holder & holder_of(const Napi::Value & value, const napi_type_tag & tag, const std::string & path, const char * kind) {
    if (!value.IsExternal() || !value.As<Napi::External<Holder>>().CheckTypeTag(&tag)) refuse_value(path, kind, value);
    return *value.As<Napi::External<Holder>>().Data();
}

// A stage that was dropped without being closed: its thread ends in its own time, and the environment holds it until
// then, because a finalizer must not wait.
void finalize_stage(Napi::Env env, StageHolder * holder) {
    const std::unique_ptr<StageHolder> owned(holder);
    if (!holder->stage) return;
    auto * environment = env.GetInstanceData<Environment>();
    if (environment == nullptr) return;
    auto &     queue  = environment->queue();
    const auto number = holder->number;
    holder->stage->close([&queue, number] {
        queue.post([number](Napi::Env current) { Environment::of(current).remove_stage(number); });
    });
}

}  // namespace

Napi::Value new_stage_handle(Napi::Env env, std::shared_ptr<Stage> stage, uint64_t number) {
    auto       holder = std::make_unique<StageHolder>(StageHolder{ std::move(stage), number });
    const auto handle = Napi::External<StageHolder>::New(env, holder.get(), finalize_stage);
    holder.release();
    handle.TypeTag(&stage_tag);
    return handle;
}

Napi::Value new_sampler_handle(Napi::Env env, std::shared_ptr<Sampler> sampler) {
    auto       holder = std::make_unique<SamplerHolder>(SamplerHolder{ std::move(sampler) });
    const auto handle = Napi::External<SamplerHolder>::New(
        env, holder.get(), [](Napi::Env, SamplerHolder * dropped) { delete dropped; });
    holder.release();
    handle.TypeTag(&sampler_tag);
    return handle;
}

StageHolder & stage_holder(const Napi::Value & value, const std::string & path) {
    return holder_of<StageHolder>(value, stage_tag, path, "a stage handle");
}

SamplerHolder & sampler_holder(const Napi::Value & value, const std::string & path) {
    return holder_of<SamplerHolder>(value, sampler_tag, path, "a sampler handle");
}

std::shared_ptr<Stage> stage_of(const Napi::Value & value, const std::string & path) {
    const auto & stage = stage_holder(value, path).stage;
    if (!stage) throw StageError(ErrorCode::cancelled, "The stage is closed.");
    return stage;
}

std::shared_ptr<Sampler> sampler_of(const Napi::Value & value, const std::string & path) {
    const auto & sampler = sampler_holder(value, path).sampler;
    if (!sampler) throw StageError(ErrorCode::invalid_argument, "The sampler is closed.");
    return sampler;
}

}  // namespace exo
