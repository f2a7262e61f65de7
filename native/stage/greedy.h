#pragma once

#include <cstdint>
#include <map>

namespace exo {

// The token with the highest logit, the first of equals, after adding to some tokens' logits what `biases` says.
int32_t best_token(const float * logits, int32_t vocabulary_size, const std::map<int32_t, float> & biases);

}  // namespace exo
