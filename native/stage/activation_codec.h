#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace exo {

// How hidden states are stored outside a stage. q8_0 is ggml's block: 32 numbers in 34 bytes.
enum class ActivationType { f32, f16, q8_0 };

// Throws `invalid_argument`.
ActivationType activation_type_from_name(const std::string & name);

// Throws `unsupported` when a row does not divide into the type's blocks.
size_t activation_row_bytes(ActivationType type, size_t row_elements);

// `rows * row_elements` numbers. The source may be unaligned.
void decode_activations(ActivationType type, const uint8_t * source, size_t rows, size_t row_elements, float * target);
void encode_activations(ActivationType type, const float * source, size_t rows, size_t row_elements, uint8_t * target);

}  // namespace exo
