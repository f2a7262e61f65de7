#include "environment.h"
#include "exports.h"
#include "js_error.h"

namespace exo {
namespace {

template <Napi::Value (*function)(const Napi::CallbackInfo &)>
void add(Napi::Env env, Napi::Object exports, const char * name) {
    exports.Set(name, Napi::Function::New<guarded<function>>(env, name));
}

template <Napi::Value (*function)(const Napi::CallbackInfo &)>
void add_promise(Napi::Env env, Napi::Object exports, const char * name) {
    exports.Set(name, Napi::Function::New<guarded_promise<function>>(env, name));
}

// In the order of src/native/bindings.ts.
Napi::Object init(Napi::Env env, Napi::Object exports) {
    env.SetInstanceData(new Environment(env));

    add<library_info>(env, exports, "library_info");
    add<backends_load>(env, exports, "backends_load");
    add<devices_list>(env, exports, "devices_list");
    add<cpu_cores>(env, exports, "cpu_cores");
    add<log_set_sink>(env, exports, "log_set_sink");
    add<counters>(env, exports, "counters");

    add<stage_plan>(env, exports, "stage_plan");
    add<stage_create>(env, exports, "stage_create");
    add_promise<stage_load>(env, exports, "stage_load");
    add<stage_memory>(env, exports, "stage_memory");
    add_promise<stage_decode>(env, exports, "stage_decode");
    add_promise<stage_close>(env, exports, "stage_close");

    add<tokenize>(env, exports, "tokenize");
    add<detokenize>(env, exports, "detokenize");

    add<sampler_create>(env, exports, "sampler_create");
    add<sampler_accept>(env, exports, "sampler_accept");
    add<sampler_close>(env, exports, "sampler_close");

    add<chat_apply>(env, exports, "chat_apply");
    add<chat_parse>(env, exports, "chat_parse");
    add<json_schema_to_grammar>(env, exports, "json_schema_to_grammar");
    return exports;
}

NODE_API_MODULE(exo_native, init)

}  // namespace
}  // namespace exo
