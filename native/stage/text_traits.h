#pragma once

#include "llama.h"

namespace exo {

// How a model's texts are computed, and what becomes of their hidden states.
struct TextTraits {
    const char * pooling = "none";  // as the file says: none, mean, cls, last or rank
    bool         whole   = false;   // a text is computed in one pass: its tokens look at those behind them
    bool         encoder = false;   // made for embeddings alone
};

TextTraits text_traits_of(const llama_model * model);

}  // namespace exo
