#include "js_error.h"

namespace exo {

Napi::Error to_js_error(Napi::Env env, const StageError & error) {
    auto js_error = Napi::Error::New(env, error.what());
    js_error.Value().Set("code", Napi::String::New(env, error_code_name(error.code())));
    return js_error;
}

}  // namespace exo
