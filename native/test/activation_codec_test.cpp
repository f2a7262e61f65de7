#include "../stage/activation_codec.h"

#include <cmath>
#include <vector>

#include "check.h"

using namespace exo;

static std::vector<float> some_numbers(size_t count) {
    std::vector<float> numbers(count);
    for (size_t index = 0; index < count; ++index) numbers[index] = std::sin(static_cast<float>(index)) * 3;
    return numbers;
}

static float worst_error(ActivationType type, size_t misalign) {
    constexpr size_t     rows = 3, width = 64;
    const auto           numbers = some_numbers(rows * width);
    std::vector<uint8_t> stored(activation_row_bytes(type, width) * rows + misalign);
    std::vector<uint8_t> aligned(activation_row_bytes(type, width) * rows);
    encode_activations(type, numbers.data(), rows, width, aligned.data());
    std::copy(aligned.begin(), aligned.end(), stored.begin() + static_cast<long>(misalign));
    std::vector<float> back(rows * width);
    decode_activations(type, stored.data() + misalign, rows, width, back.data());
    float worst = 0;
    for (size_t index = 0; index < back.size(); ++index) {
        worst = std::fmax(worst, std::fabs(back[index] - numbers[index]));
    }
    return worst;
}

int main() {
    CHECK(activation_row_bytes(ActivationType::f32, 64) == 256);
    CHECK(activation_row_bytes(ActivationType::f16, 64) == 128);
    CHECK(activation_row_bytes(ActivationType::q8_0, 64) == 68);
    CHECK_THROWS(ErrorCode::unsupported, activation_row_bytes(ActivationType::q8_0, 40));
    CHECK_THROWS(ErrorCode::invalid_argument, activation_type_from_name("f64"));
    for (const size_t misalign : { 0, 1, 3 }) {
        CHECK(worst_error(ActivationType::f32, misalign) == 0);
        CHECK(worst_error(ActivationType::f16, misalign) < 2e-3f);
        CHECK(worst_error(ActivationType::q8_0, misalign) < 2e-2f);
    }
}
