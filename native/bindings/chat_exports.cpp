#include <algorithm>

#include "../stage/abort_guard.h"
#include "exports.h"
#include "fields.h"
#include "handles.h"

namespace exo {

// chat_apply(stage: StageHandle, request: string): NativeChatPrompt
Napi::Value chat_apply(const Napi::CallbackInfo & info) {
    const AbortGuard guard;
    const auto       env    = info.Env();
    const auto       stage  = stage_of(info[0], "stage");
    const auto       prompt = stage->model().chat().apply(text_argument(info, 1, "request"));

    auto preserved = Napi::Int32Array::New(env, prompt.preserved_tokens.size());
    std::copy(prompt.preserved_tokens.begin(), prompt.preserved_tokens.end(), preserved.Data());
    auto stops = Napi::Array::New(env, prompt.additional_stops.size());
    for (uint32_t index = 0; index < prompt.additional_stops.size(); ++index) {
        stops.Set(index, prompt.additional_stops[index]);
    }
    auto result = Napi::Object::New(env);
    result.Set("prompt", prompt.prompt);
    result.Set("constraint", prompt.constraint.empty() ?
                                 env.Null() :
                                 Napi::String::New(env, prompt.constraint).As<Napi::Value>());
    result.Set("preserved_tokens", preserved);
    result.Set("additional_stops", stops);
    result.Set("parser_state", prompt.parser_state);
    return result;
}

// chat_parse(stage: StageHandle, parser_state: string, text: string, is_partial: boolean): string
Napi::Value chat_parse(const Napi::CallbackInfo & info) {
    const AbortGuard guard;
    const auto       stage = stage_of(info[0], "stage");
    return Napi::String::New(
        info.Env(), stage->model().chat().parse(text_argument(info, 1, "parser_state"), text_argument(info, 2, "text"),
                                                boolean_argument(info, 3, "is_partial")));
}

// json_schema_to_grammar(schema: string): string
Napi::Value json_schema_to_grammar(const Napi::CallbackInfo & info) {
    const AbortGuard guard;
    return Napi::String::New(info.Env(), grammar_of_json_schema(text_argument(info, 0, "schema")));
}

}  // namespace exo
