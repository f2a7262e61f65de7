#include "logprobs.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

namespace exo {

void rank_logprobs(const float * logits, int32_t vocabulary_size, int32_t best, Sample & sample) {
    const float highest = *std::max_element(logits, logits + vocabulary_size);
    double      sum     = 0;
    for (int32_t token = 0; token < vocabulary_size; ++token) sum += std::exp(double(logits[token]) - highest);
    const double normalizer = highest + std::log(sum);
    const auto   logprob_of = [&](int32_t token) { return static_cast<float>(logits[token] - normalizer); };

    sample.logprob = logprob_of(sample.token);
    best           = std::min(best, vocabulary_size);
    std::vector<int32_t> ranked(static_cast<size_t>(vocabulary_size));
    std::iota(ranked.begin(), ranked.end(), 0);
    // equal logits in the order of their ids, so that reports are the same everywhere
    std::partial_sort(ranked.begin(), ranked.begin() + best, ranked.end(), [&](int32_t left, int32_t right) {
        return logits[left] != logits[right] ? logits[left] > logits[right] : left < right;
    });
    ranked.resize(static_cast<size_t>(best));
    sample.top_tokens = ranked;
    sample.top_logprobs.clear();
    for (const auto token : ranked) sample.top_logprobs.push_back(logprob_of(token));
}

}  // namespace exo
