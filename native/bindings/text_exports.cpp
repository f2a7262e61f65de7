#include <cstring>

#include "../stage/tokenizer.h"
#include "exports.h"
#include "fields.h"
#include "handles.h"

namespace exo {

// tokenize(stage: StageHandle, text: string, add_special: boolean, parse_special: boolean): Int32Array
Napi::Value tokenize(const Napi::CallbackInfo & info) {
    const auto stage  = stage_of(info[0], "stage");
    const auto tokens = tokenize(stage->model().vocabulary(), text_argument(info, 1, "text"),
                                 boolean_argument(info, 2, "add_special"), boolean_argument(info, 3, "parse_special"));
    auto       result = Napi::Int32Array::New(info.Env(), tokens.size());
    std::copy(tokens.begin(), tokens.end(), result.Data());
    return result;
}

// detokenize(stage: StageHandle, tokens: Int32Array, render_special: boolean): Uint8Array
Napi::Value detokenize(const Napi::CallbackInfo & info) {
    const auto stage   = stage_of(info[0], "stage");
    const auto numbers = int32s_argument(info, 1, "tokens");
    const auto text    = detokenize(stage->model().vocabulary(),
                                    std::vector<int32_t>(numbers.Data(), numbers.Data() + numbers.ElementLength()),
                                    boolean_argument(info, 2, "render_special"));
    auto       result  = Napi::Uint8Array::New(info.Env(), text.size());
    std::memcpy(result.Data(), text.data(), text.size());
    return result;
}

}  // namespace exo
