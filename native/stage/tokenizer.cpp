#include "tokenizer.h"

#include <common.h>

#include "abort_guard.h"
#include "error.h"
#include "text.h"

namespace exo {

std::vector<int32_t> tokenize(const llama_vocab * vocabulary, const std::string & text, bool add_special,
                              bool parse_special) {
    const AbortGuard guard;
    try {
        return common_tokenize(vocabulary, text, add_special, parse_special);
    } catch (const std::runtime_error & error) {
        throw StageError(ErrorCode::invalid_argument, std::string("The text cannot be tokenized: ") + error.what());
    }
}

std::string detokenize(const llama_vocab * vocabulary, const std::vector<int32_t> & tokens, bool render_special) {
    const AbortGuard guard;
    const int32_t    size = llama_vocab_n_tokens(vocabulary);
    std::string      text;
    for (const auto token : tokens) {
        if (token < 0 || token >= size) {
            throw StageError(
                ErrorCode::invalid_argument,
                format("Token %d is outside the model's vocabulary of %d tokens.", token, size));
        }
        text += common_token_to_piece(vocabulary, token, render_special);
    }
    return text;
}

}  // namespace exo
