#include "kv_operation.h"

#include <algorithm>

#include "error.h"
#include "text.h"

namespace exo {
namespace {

constexpr size_t numbers_each = 6;

void check_sequence(int32_t sequence, const KvTraits & traits) {
    if (sequence >= 0 && sequence < traits.max_sequences) return;
    throw StageError(ErrorCode::invalid_argument,
                     format("A KV operation names sequence %d, but this stage has sequences 0 to %d.", sequence,
                            traits.max_sequences - 1));
}

bool is_whole(const KvOperation & operation) {
    return operation.p0 <= 0 && operation.p1 < 0;
}

void check_operation(const KvOperation & operation, const KvTraits & traits) {
    const bool every_sequence = operation.kind == KvOperation::remove && operation.sequence < 0;
    if (!every_sequence) check_sequence(operation.sequence, traits);
    if (operation.p1 >= 0 && operation.p1 < operation.p0) {
        throw StageError(ErrorCode::invalid_argument, format("A KV operation covers positions %d to %d, which is "
                                                             "backwards.",
                                                             operation.p0, operation.p1));
    }
    if (operation.kind == KvOperation::copy) {
        check_sequence(operation.destination, traits);
        if (operation.destination == operation.sequence) {
            throw StageError(ErrorCode::invalid_argument, "A KV operation copies a sequence onto itself.");
        }
    }
    const bool trims = operation.kind == KvOperation::remove || operation.kind == KvOperation::copy;
    if (trims && !is_whole(operation) && !traits.can_trim) {
        throw StageError(ErrorCode::unsupported,
                         "This model keeps a recurrent state, of which no part can be removed or copied; remove or "
                         "copy the whole sequence.");
    }
    if (operation.kind == KvOperation::add && !traits.can_shift) {
        throw StageError(ErrorCode::unsupported, "This model's KV cache cannot be moved to other positions.");
    }
}

// A sliding-window cache drops what is out of sight, so cutting a sequence back may need cells that are gone.
void check_window(llama_memory_t memory, int32_t sequence, int32_t end, const KvTraits & traits) {
    if (traits.window == 0 || llama_memory_seq_pos_max(memory, sequence) < end) return;
    if (llama_memory_seq_pos_min(memory, sequence) <= std::max(0, end - traits.window)) return;
    throw StageError(ErrorCode::unsupported,
                     format("Sequence %d cannot be cut back to position %d: this model's sliding window of %d "
                            "positions has moved past it. Remove the whole sequence and compute it again.",
                            sequence, end, traits.window));
}

void remove_range(llama_memory_t memory, int32_t sequence, int32_t p0, int32_t p1, const KvTraits & traits) {
    // what stays behind a removal in the middle goes on from where it is: it needs nothing from before the gap
    const bool cuts_back = p1 < 0 || p1 > llama_memory_seq_pos_max(memory, sequence);
    if (p0 > 0 && cuts_back) check_window(memory, sequence, p0, traits);
    if (llama_memory_seq_rm(memory, sequence, p0, p1)) return;
    throw StageError(ErrorCode::unsupported,
                     format("Positions %d to %d of sequence %d cannot be removed from this model's memory.", p0, p1,
                            sequence));
}

// The destination holds [p0, p1) of the source and nothing else afterwards. Between caches of their own llama.cpp
// copies whole sequences only, so the rest is cut off there; that also does for a shared cache.
void copy_range(llama_memory_t memory, const KvOperation & operation, const KvTraits & traits) {
    if (operation.p1 >= 0) check_window(memory, operation.sequence, operation.p1, traits);
    llama_memory_seq_rm(memory, operation.destination, -1, -1);
    llama_memory_seq_cp(memory, operation.sequence, operation.destination, -1, -1);
    if (operation.p1 >= 0) llama_memory_seq_rm(memory, operation.destination, operation.p1, -1);
    if (operation.p0 > 0) llama_memory_seq_rm(memory, operation.destination, 0, operation.p0);
}

void shift_range(llama_memory_t memory, const KvOperation & operation, const KvTraits & traits) {
    const int64_t last = llama_memory_seq_pos_max(memory, operation.sequence);
    if (last + operation.delta >= traits.context_size) {
        throw StageError(ErrorCode::context_exceeded,
                         format("Moving sequence %d by %d would put position %lld outside its context of %d tokens.",
                                operation.sequence, operation.delta, static_cast<long long>(last), traits.context_size));
    }
    llama_memory_seq_add(memory, operation.sequence, operation.p0, operation.p1, operation.delta);
}

}  // namespace

std::vector<KvOperation> parse_kv_operations(const int32_t * numbers, size_t count, const KvTraits & traits) {
    if (count % numbers_each != 0) {
        throw StageError(ErrorCode::bad_frame,
                         format("KV operations take %zu numbers each, but %zu came.", numbers_each, count));
    }
    std::vector<KvOperation> operations;
    operations.reserve(count / numbers_each);
    for (const int32_t * at = numbers; at < numbers + count; at += numbers_each) {
        if (at[0] < KvOperation::remove || at[0] > KvOperation::add) {
            throw StageError(ErrorCode::bad_frame, format("There is no KV operation %d.", at[0]));
        }
        operations.push_back({ static_cast<KvOperation::Kind>(at[0]), at[1], at[2], at[3], at[4], at[5] });
        check_operation(operations.back(), traits);
    }
    return operations;
}

void apply_kv_operation(llama_memory_t memory, const KvOperation & operation, const KvTraits & traits) {
    switch (operation.kind) {
        case KvOperation::remove:
            for (int32_t sequence = 0; sequence < traits.max_sequences; ++sequence) {
                if (operation.sequence >= 0 && operation.sequence != sequence) continue;
                remove_range(memory, sequence, operation.p0, operation.p1, traits);
            }
            break;
        case KvOperation::copy:
            copy_range(memory, operation, traits);
            break;
        case KvOperation::keep:
            // llama_memory_seq_keep sees only the caches that the kept sequence shares
            for (int32_t sequence = 0; sequence < traits.max_sequences; ++sequence) {
                if (sequence != operation.sequence) llama_memory_seq_rm(memory, sequence, -1, -1);
            }
            break;
        case KvOperation::add:
            shift_range(memory, operation, traits);
            break;
    }
}

}  // namespace exo
