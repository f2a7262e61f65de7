#pragma once

#include <cstdint>
#include <string>

namespace exo {

// What is known of a model before it is loaded.
struct GgufSummary {
    std::string architecture;
    int32_t     layer_count = -1;  // without layers for multi-token prediction; -1: not said
    int32_t     part_count  = 1;
    bool        learned_positions = false;  // a table with an entry for each position: there is nothing behind its end
};

// Reads the headers of all parts of a model and checks that every tensor lies inside its file, so that nothing is
// allocated or mapped for a damaged file. Throws `invalid_model`, naming the file.
GgufSummary check_gguf(const std::string & path);

}  // namespace exo
