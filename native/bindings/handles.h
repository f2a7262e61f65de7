#pragma once

#include <memory>

#include "../napi_setup.h"
#include "../stage/sampler.h"
#include "../stage/stage.h"

namespace exo {

// What a handle in JavaScript points to. The object goes when the handle is closed; the handle itself when it is
// collected.
struct StageHolder {
    std::shared_ptr<Stage> stage;
    uint64_t               number;  // in the Environment
};
struct SamplerHolder {
    std::shared_ptr<Sampler> sampler;
};

Napi::Value new_stage_handle(Napi::Env env, std::shared_ptr<Stage> stage, uint64_t number);
Napi::Value new_sampler_handle(Napi::Env env, std::shared_ptr<Sampler> sampler);

// Throw `invalid_argument` when `value` is no such handle.
StageHolder &   stage_holder(const Napi::Value & value, const std::string & path);
SamplerHolder & sampler_holder(const Napi::Value & value, const std::string & path);

// The same, and `cancelled` or `invalid_argument` when it is closed.
std::shared_ptr<Stage>   stage_of(const Napi::Value & value, const std::string & path);
std::shared_ptr<Sampler> sampler_of(const Napi::Value & value, const std::string & path);

}  // namespace exo
