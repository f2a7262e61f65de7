#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "llama.h"

namespace exo {

// One position of one sequence. See ROW_BYTES of src/native/bindings.ts.
struct Row {
    uint16_t sequence;
    bool     output;
    int32_t  position;
    int32_t  token;
};

// What a stage takes.
struct BatchLimits {
    size_t  max_rows          = 0;
    size_t  max_outputs       = 0;
    int32_t max_sequences     = 0;
    int32_t context_size      = 0;
    int32_t vocabulary_size   = 0;
    size_t  embedding_size    = 0;
    bool    has_embedding     = false;
    bool    has_output        = false;
};

// Throws `bad_frame` for a length that cannot be, `invalid_argument` or `context_exceeded` for rows outside the limits.
std::vector<Row> parse_rows(const uint8_t * bytes, size_t length, const BatchLimits & limits);

// The arrays behind a llama_batch, kept from call to call.
class DecodeBatch {
  public:
    // `positions_per_row`: 4 for models that turn positions into several coordinates (M-RoPE), else 1.
    explicit DecodeBatch(int positions_per_row) : positions_per_row_(positions_per_row) {}

    // `embeddings`: [rows][embedding_size] f32, or null for tokens; read, never written. `independent`: no row sees
    // another (no layers here), so that sequences and positions are only places in an empty cache. `all_outputs`: the
    // stage hands on every row.
    llama_batch build(const std::vector<Row> & rows, const float * embeddings, bool independent, bool all_outputs);

  private:
    const int                   positions_per_row_;
    std::vector<llama_token>    tokens_;
    std::vector<llama_pos>      positions_;  // [positions_per_row][rows]
    std::vector<int32_t>        sequence_counts_;
    std::vector<llama_seq_id>   sequences_;
    std::vector<llama_seq_id *> sequence_pointers_;
    std::vector<int8_t>         outputs_;
};

}  // namespace exo
