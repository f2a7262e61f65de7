#pragma once

#include <cstdint>

#include "sampler.h"

namespace exo {

// Fills in the log-probability of `sample.token` and of the `best` likeliest tokens, before any sampling step.
void rank_logprobs(const float * logits, int32_t vocabulary_size, int32_t best, Sample & sample);

}  // namespace exo
