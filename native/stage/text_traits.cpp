#include "text_traits.h"

#include "../src/exo-text.h"

namespace exo {
namespace {

// A number of a file, so it may be any.
const char * pooling_name(enum llama_pooling_type type) {
    switch (type) {
        case LLAMA_POOLING_TYPE_MEAN: return "mean";
        case LLAMA_POOLING_TYPE_CLS:  return "cls";
        case LLAMA_POOLING_TYPE_LAST: return "last";
        case LLAMA_POOLING_TYPE_RANK: return "rank";
        default:                      return "none";
    }
}

}  // namespace

TextTraits text_traits_of(const llama_model * model) {
    const auto traits = exo_text_traits_of(model);
    return { pooling_name(traits.pooling), traits.whole, traits.encoder };
}

}  // namespace exo
