#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "llama.h"

namespace exo {

std::vector<int32_t> tokenize(const llama_vocab * vocabulary, const std::string & text, bool add_special,
                              bool parse_special);

// The tokens' bytes, which may cut a UTF-8 character. Throws `invalid_argument` for a token outside the vocabulary.
std::string detokenize(const llama_vocab * vocabulary, const std::vector<int32_t> & tokens, bool render_special);

}  // namespace exo
