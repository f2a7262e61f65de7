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
    size_t  max_rows        = 0;
    size_t  max_outputs     = 0;
    int32_t max_sequences   = 0;
    int32_t context_size    = 0;
    int32_t vocabulary_size = 0;
    size_t  input_size      = 0;  // numbers per row of hidden states that come in
    size_t  output_size     = 0;  // and that go out
    bool    has_embedding   = false;
    bool    has_output      = false;
};

// Throws `bad_frame` for a length that cannot be, `invalid_argument` or `context_exceeded` for rows outside the limits.
std::vector<Row> parse_rows(const uint8_t * bytes, size_t length, const BatchLimits & limits);

// The arrays behind a llama_batch, kept from call to call.
class DecodeBatch {
  public:
    // `hidden_states`: [rows][input_size] f32, or null where rows come as tokens; read, never written. Tokens go along
    // with hidden states, because layers of a few architectures look at them. `all_outputs`: every row is wanted.
    llama_batch build(const std::vector<Row> & rows, const float * hidden_states, bool all_outputs);

  private:
    std::vector<llama_token>    tokens_;
    std::vector<llama_pos>      positions_;
    std::vector<int32_t>        sequence_counts_;
    std::vector<llama_seq_id>   sequences_;
    std::vector<llama_seq_id *> sequence_pointers_;
    std::vector<int8_t>         outputs_;
};

}  // namespace exo
