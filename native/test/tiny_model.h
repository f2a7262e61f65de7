#pragma once

#include <string>

#include "ggml.h"

namespace exo::test {

constexpr int tiny_layers     = 4;
constexpr int tiny_width      = 64;
constexpr int tiny_vocabulary = 96;

struct TinyModel {
    ggml_type matrices = GGML_TYPE_F32;  // or any that takes rows of 32
    int       heads    = 4;              // of tiny_width / heads numbers
};

// Writes a llama of `tiny_layers` layers with random weights, always the same, and a vocabulary of single characters.
void write_tiny_model(const std::string & path, const TinyModel & model = {});

}  // namespace exo::test
