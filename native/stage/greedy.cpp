#include "greedy.h"

#include <cmath>

namespace exo {
namespace {

struct Best {
    int32_t token = 0;
    float   logit = -INFINITY;

    void consider(int32_t candidate, float value) {
        if (value > logit || (value == logit && candidate < token)) {
            token = candidate;
            logit = value;
        }
    }
};

}  // namespace

int32_t best_token(const float * logits, int32_t vocabulary_size, const std::map<int32_t, float> & biases) {
    Best    best;
    int32_t begin = 0;
    const auto consider_up_to = [&](int32_t end) {
        for (int32_t token = begin; token < end; ++token) {
            if (logits[token] > best.logit) best.consider(token, logits[token]);
        }
        begin = end + 1;
    };
    for (const auto & [token, bias] : biases) {
        consider_up_to(token);
        best.consider(token, logits[token] + bias);
    }
    consider_up_to(vocabulary_size);
    return best.token;
}

}  // namespace exo
