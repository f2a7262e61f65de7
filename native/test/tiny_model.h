#pragma once

#include <string>

namespace exo::test {

constexpr int tiny_layers     = 4;
constexpr int tiny_width      = 64;
constexpr int tiny_vocabulary = 96;

// Writes a llama of `tiny_layers` layers with random weights, always the same, and a vocabulary of single characters.
void write_tiny_model(const std::string & path);

}  // namespace exo::test
