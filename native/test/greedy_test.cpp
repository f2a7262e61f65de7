#include "../stage/greedy.h"

#include <cmath>
#include <vector>

#include "check.h"

using namespace exo;

static int32_t best(const std::vector<float> & logits, const std::map<int32_t, float> & biases = {}) {
    return best_token(logits.data(), static_cast<int32_t>(logits.size()), biases);
}

int main() {
    CHECK(best({ 1, 3, 2 }) == 1);
    CHECK(best({ -5, -3, -4 }) == 1);
    CHECK(best({ 7 }) == 0);
    // of equals the first, with a bias or without
    CHECK(best({ 1, 3, 3 }) == 1);
    CHECK(best({ 1, 2, 3 }, { { 1, 1.0f } }) == 1);
    CHECK(best({ 1, 3, 2 }, { { 2, 1.0f } }) == 1);
    // biases at the ends and beside each other
    CHECK(best({ 1, 3, 2 }, { { 0, 5.0f } }) == 0);
    CHECK(best({ 1, 3, 2 }, { { 2, 5.0f } }) == 2);
    CHECK(best({ 1, 3, 2, 0 }, { { 1, -9.0f }, { 2, -9.0f } }) == 0);
    // never what is ruled out, if there is another
    CHECK(best({ 9, 8, 1 }, { { 0, -INFINITY }, { 1, -INFINITY } }) == 2);
}
