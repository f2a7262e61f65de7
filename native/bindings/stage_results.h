#pragma once

#include "../napi_setup.h"
#include "../stage/stage.h"

namespace exo {

Napi::Value to_js(Napi::Env env, const StageInfo & info);
Napi::Value to_js(Napi::Env env, const StageMemory & memory);
// Moves the hidden states out of `result`.
Napi::Value to_js(Napi::Env env, DecodeResult & result);

}  // namespace exo
