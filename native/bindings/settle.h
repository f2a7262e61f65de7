#pragma once

#include <memory>
#include <utility>

#include "environment.h"
#include "js_error.h"

namespace exo {

// A callback for a stage's thread that settles promise `number` on the JavaScript thread: with what `convert` makes of
// the result there, or with the error.
template <typename T, typename Convert>
OutcomeCallback<T> settle_with(Environment & environment, uint64_t number, Convert convert) {
    auto & queue = environment.queue();
    return [&queue, number, convert](Outcome<T> outcome) {
        // tasks are copied, results need not be copyable
        const auto shared = std::make_shared<Outcome<T>>(std::move(outcome));
        queue.post([number, convert, shared](Napi::Env env) {
            const auto promise = Environment::of(env).take_promise(number);
            if (!promise) return;
            if (const auto * error = std::get_if<StageError>(shared.get())) {
                promise->deferred.Reject(to_js_error(env, *error).Value());
                return;
            }
            try {
                promise->deferred.Resolve(convert(env, std::get<T>(*shared)));
            } catch (const Napi::Error & error) {
                promise->deferred.Reject(error.Value());
            }
        });
    };
}

}  // namespace exo
