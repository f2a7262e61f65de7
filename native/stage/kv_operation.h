#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "llama.h"

namespace exo {

// A change to the KV cache; positions are half-open [p0, p1). See KV_OPERATION of src/native/bindings.ts.
struct KvOperation {
    enum Kind : int32_t { remove = 0, copy = 1, keep = 2, add = 3 };

    Kind    kind;
    int32_t sequence;
    int32_t destination;
    int32_t p0;
    int32_t p1;
    int32_t delta;
};

// What the model's memory can do.
struct KvTraits {
    int32_t max_sequences = 1;
    int32_t context_size  = 0;
    bool    can_shift     = false;
    bool    can_trim      = false;  // part of a sequence can be removed
    int32_t window        = 0;      // positions a sliding-window layer looks back; 0: all
};

// Six numbers each. Throws `bad_frame` for a length or an operation that cannot be, `invalid_argument` for sequences
// outside the stage, `unsupported` for what this model's memory cannot do.
std::vector<KvOperation> parse_kv_operations(const int32_t * numbers, size_t count, const KvTraits & traits);

// Throws `unsupported` when a sliding window no longer holds what the operation would need.
void apply_kv_operation(llama_memory_t memory, const KvOperation & operation, const KvTraits & traits);

}  // namespace exo
