#include "decode_batch.h"

#include <cstring>

#include "error.h"
#include "text.h"

namespace exo {
namespace {

constexpr size_t   row_bytes   = 12;
constexpr uint16_t flag_output = 1;

// Little endian, as the wire is; every platform that llama.cpp's quantized kernels run on here is too.
template <typename Number> Number read_number(const uint8_t * bytes) {
    Number number;
    std::memcpy(&number, bytes, sizeof(number));
    return number;
}

void check_row(const Row & row, const BatchLimits & limits) {
    if (row.sequence >= limits.max_sequences) {
        throw StageError(ErrorCode::invalid_argument, format("A row belongs to sequence %d, but this stage has "
                                                             "sequences 0 to %d.",
                                                             row.sequence, limits.max_sequences - 1));
    }
    if (row.position < 0) {
        throw StageError(ErrorCode::invalid_argument, format("A row has position %d.", row.position));
    }
    if (row.position >= limits.context_size) {
        throw StageError(ErrorCode::context_exceeded,
                         format("Position %d of sequence %d does not fit this stage's context of %d tokens.",
                                row.position, row.sequence, limits.context_size));
    }
    if (row.token < 0 || row.token >= limits.vocabulary_size) {
        throw StageError(ErrorCode::invalid_argument,
                         format("Token %d is outside the model's vocabulary of %d tokens.", row.token,
                                limits.vocabulary_size));
    }
}

}  // namespace

std::vector<Row> parse_rows(const uint8_t * bytes, size_t length, const BatchLimits & limits) {
    if (length % row_bytes != 0) {
        throw StageError(ErrorCode::bad_frame,
                         format("Rows take %zu bytes each, but %zu bytes came.", row_bytes, length));
    }
    const size_t count = length / row_bytes;
    if (count > limits.max_rows) {
        throw StageError(ErrorCode::invalid_argument,
                         format("A micro-batch of %zu rows came, but this stage takes %zu.", count, limits.max_rows));
    }
    std::vector<Row> rows;
    rows.reserve(count);
    size_t outputs = 0;
    for (const uint8_t * at = bytes; at < bytes + length; at += row_bytes) {
        rows.push_back({ read_number<uint16_t>(at), (read_number<uint16_t>(at + 2) & flag_output) != 0,
                         read_number<int32_t>(at + 4), read_number<int32_t>(at + 8) });
        check_row(rows.back(), limits);
        outputs += rows.back().output ? 1 : 0;
    }
    if (limits.has_output && outputs > limits.max_outputs) {
        throw StageError(ErrorCode::invalid_argument,
                         format("Logits of %zu rows were asked for, but this stage is set up for %zu (max_outputs).",
                                outputs, limits.max_outputs));
    }
    return rows;
}

llama_batch DecodeBatch::build(const std::vector<Row> & rows, const float * hidden_states, bool all_outputs) {
    const size_t count = rows.size();
    tokens_.resize(count);
    positions_.resize(count);
    sequence_counts_.assign(count, 1);
    sequences_.resize(count);
    sequence_pointers_.resize(count);
    outputs_.resize(count);
    for (size_t index = 0; index < count; ++index) {
        const Row & row           = rows[index];
        tokens_[index]            = row.token;
        positions_[index]         = row.position;
        sequences_[index]         = row.sequence;
        sequence_pointers_[index] = &sequences_[index];
        outputs_[index]           = all_outputs || row.output ? 1 : 0;
    }
    llama_batch batch{};
    batch.n_tokens = static_cast<int32_t>(count);
    batch.token    = tokens_.data();
    batch.embd     = const_cast<float *>(hidden_states);
    batch.pos      = positions_.data();
    batch.n_seq_id = sequence_counts_.data();
    batch.seq_id   = sequence_pointers_.data();
    batch.logits   = outputs_.data();
    return batch;
}

}  // namespace exo
