#pragma once

// What a model makes of a whole text, for those who want its embedding.

#include "llama.h"

// Part of what is logged where a graph has no hidden states that could be an embedding.
#define EXO_NO_EMBEDDINGS "gives no embeddings"

struct exo_text_traits {
    // As the file says how the tokens' states become one; LLAMA_POOLING_TYPE_NONE where it says nothing.
    enum llama_pooling_type pooling;
    // Tokens look at those that come after them, so a text is computed in one pass or wrongly.
    bool whole;
    // Made for embeddings, not to go on with a text.
    bool encoder;
};

LLAMA_API exo_text_traits exo_text_traits_of(const llama_model * model);
