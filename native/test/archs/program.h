#pragma once

// The same sequence of batches for the whole model and for every cut of it.

#include "llama.h"

#include <cstdint>
#include <string>
#include <vector>

namespace archs {

struct row {
    llama_token  token;
    llama_pos    pos;
    llama_seq_id seq;
    bool         wanted; // its logits are compared
};

using step = std::vector<row>;

struct program {
    std::string           name;
    llama_flash_attn_type flash_attention;
    uint32_t              n_seq; // room for so many sequences
    std::vector<step>     steps;
};

// One sequence: a prompt of two compute passes, all rows wanted, then single tokens.
program single_sequence(int32_t n_vocab);

// Three sequences of unlike lengths in one batch, some rows wanted, then steps in which not all of them take part.
program several_sequences(int32_t n_vocab);

// Rows in one batch, rows in one compute pass, tokens of context per sequence.
constexpr uint32_t N_BATCH  = 64;
constexpr uint32_t N_UBATCH = 16;
constexpr uint32_t N_CTX    = 256;

} // namespace archs
