#pragma once

#include "../napi_setup.h"
#include "../stage/error.h"

namespace exo {

// A JavaScript Error with `code` and the sentence.
Napi::Error to_js_error(Napi::Env env, const StageError & error);

// An export: whatever `function` throws becomes a JavaScript error with a code.
template <Napi::Value (*function)(const Napi::CallbackInfo &)> Napi::Value guarded(const Napi::CallbackInfo & info) {
    try {
        return function(info);
    } catch (const Napi::Error &) {
        throw;
    } catch (...) {
        throw to_js_error(info.Env(), current_error());
    }
}

// An export that answers with a promise: whatever it throws rejects that.
template <Napi::Value (*function)(const Napi::CallbackInfo &)>
Napi::Value guarded_promise(const Napi::CallbackInfo & info) {
    const auto reject = [&](const Napi::Error & error) -> Napi::Value {
        const auto deferred = Napi::Promise::Deferred::New(info.Env());
        deferred.Reject(error.Value());
        return deferred.Promise();
    };
    try {
        return function(info);
    } catch (const Napi::Error & error) {
        return reject(error);
    } catch (...) {
        return reject(to_js_error(info.Env(), current_error()));
    }
}

}  // namespace exo
