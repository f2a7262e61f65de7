#pragma once

#include "../napi_setup.h"
#include "../stage/activation_pool.h"

namespace exo {

// A Uint8Array over the buffer itself, which returns to the pool when JavaScript drops it. A runtime that forbids
// external memory (Electron) gets a copy.
Napi::Value to_js_bytes(Napi::Env env, PooledBuffer buffer);

}  // namespace exo
