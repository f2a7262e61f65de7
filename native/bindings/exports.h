#pragma once

#include "../napi_setup.h"

// The addon's functions, one file per concern. Above each definition stands its TypeScript signature, as declared in
// src/native/bindings.ts; test/native/surface.test.ts compares the two.
namespace exo {

Napi::Value library_info(const Napi::CallbackInfo & info);
Napi::Value backends_load(const Napi::CallbackInfo & info);
Napi::Value devices_list(const Napi::CallbackInfo & info);
Napi::Value cpu_cores(const Napi::CallbackInfo & info);
Napi::Value log_set_sink(const Napi::CallbackInfo & info);
Napi::Value counters(const Napi::CallbackInfo & info);

Napi::Value stage_plan(const Napi::CallbackInfo & info);
Napi::Value stage_create(const Napi::CallbackInfo & info);
Napi::Value stage_load(const Napi::CallbackInfo & info);
Napi::Value stage_memory(const Napi::CallbackInfo & info);
Napi::Value stage_decode(const Napi::CallbackInfo & info);
Napi::Value stage_close(const Napi::CallbackInfo & info);

Napi::Value tokenize(const Napi::CallbackInfo & info);
Napi::Value detokenize(const Napi::CallbackInfo & info);

Napi::Value sampler_create(const Napi::CallbackInfo & info);
Napi::Value sampler_accept(const Napi::CallbackInfo & info);
Napi::Value sampler_close(const Napi::CallbackInfo & info);

Napi::Value chat_apply(const Napi::CallbackInfo & info);
Napi::Value chat_parse(const Napi::CallbackInfo & info);
Napi::Value json_schema_to_grammar(const Napi::CallbackInfo & info);

}  // namespace exo
