#pragma once

#include "../napi_setup.h"
#include "../stage/sampler.h"
#include "../stage/stage_params.h"

namespace exo {

StageParams   read_stage_params(const Napi::Value & value);
SamplerParams read_sampler_params(const Napi::Value & value);

}  // namespace exo
