#include "decode_request.h"

#include "error.h"
#include "stage.h"
#include "text.h"

namespace exo {
namespace {

// Enough for any frame header; more is a mistake.
constexpr size_t most_head_room = size_t(1) << 20;

void check_activations(const RawBatch & batch, size_t rows, const BatchLimits & limits) {
    if (limits.has_embedding || rows == 0) {
        if (batch.activations == nullptr) return;
        throw StageError(ErrorCode::invalid_argument,
                         rows == 0 ? "Hidden states came without rows." :
                                     "Hidden states came for a stage that holds the embedding and takes tokens.");
    }
    if (batch.activations == nullptr) {
        throw StageError(ErrorCode::invalid_argument,
                         "This stage does not hold the embedding, so its rows need hidden states.");
    }
    const size_t expected = rows * activation_row_bytes(batch.activation_type, limits.input_size);
    if (batch.activations_length != expected) {
        throw StageError(ErrorCode::bad_frame, format("Hidden states of %zu rows take %zu bytes, but %zu came.", rows,
                                                      expected, batch.activations_length));
    }
}

// Sampling goes from row to row, so each must follow the one before it in its sequence.
void check_sampled_rows(const SampleRequest & sample, const std::vector<Row> & rows) {
    for (size_t offset = 0; offset <= sample.drafted; ++offset) {
        const size_t row = sample.row + offset;
        if (row >= rows.size() || !rows[row].output) {
            throw StageError(ErrorCode::invalid_argument,
                             format("Row %zu is to be sampled, but is not one of the micro-batch's rows with output.",
                                    row));
        }
        const Row & first = rows[sample.row];
        if (rows[row].sequence != first.sequence ||
            int64_t(rows[row].position) != int64_t(first.position) + int64_t(offset)) {
            throw StageError(ErrorCode::invalid_argument,
                             format("Row %zu holds a drafted token, but does not follow row %zu in its sequence.", row,
                                    sample.row));
        }
    }
}

void check_samples(const Stage & stage, const RawBatch & batch, const std::vector<Row> & rows,
                   const BatchLimits & limits) {
    if ((!batch.samples.empty() || batch.want_logits) && !limits.has_output) {
        throw StageError(ErrorCode::invalid_argument,
                         "Samples or logits were asked of a stage without the output head.");
    }
    const auto & info = stage.model().info();
    if ((!batch.samples.empty() && !info.generates) || (batch.want_logits && info.encoder)) {
        throw StageError(ErrorCode::unsupported, "This model gives embeddings; it cannot go on with a text.");
    }
    for (const auto & sample : batch.samples) {
        check_sampled_rows(sample, rows);
        if (!sample.sampler->belongs_to(&stage)) {
            throw StageError(ErrorCode::invalid_argument, "A sampler belongs to another stage.");
        }
        if (sample.sampler->is_closed()) throw StageError(ErrorCode::invalid_argument, "A sampler is closed.");
        if (sample.logprobs < 0) {
            throw StageError(ErrorCode::invalid_argument, "Expected 0 or more log-probabilities.");
        }
    }
}

void check_pooling(const RawBatch & batch, const StageInfo & info) {
    if (!batch.want_pooled) return;
    if (!batch.samples.empty() || batch.want_logits) {
        throw StageError(ErrorCode::invalid_argument,
                         "A micro-batch gives either embeddings or samples and logits, but both were asked for.");
    }
    if (info.pooled_size == 0) {
        throw StageError(ErrorCode::unsupported, "This stage gives no embeddings.");
    }
}

}  // namespace

DecodeRequest check_batch(const Stage & stage, RawBatch batch) {
    const auto & loaded = stage.model();
    auto         limits = loaded.limits();
    if (loaded.context() == nullptr) {
        throw StageError(ErrorCode::invalid_argument, "This stage holds only the vocabulary, so it computes nothing.");
    }
    check_pooling(batch, loaded.info());
    // Hidden states of rows cost little, where logits would be as many numbers as the vocabulary has tokens.
    if (batch.want_pooled) limits.max_outputs = limits.max_rows;
    DecodeRequest request;
    request.rows = parse_rows(batch.rows, batch.rows_length, limits);
    request.kv_operations =
        parse_kv_operations(batch.kv_operations, batch.kv_operations_count, loaded.kv_traits());
    check_activations(batch, request.rows.size(), limits);
    check_samples(stage, batch, request.rows, limits);
    if (batch.result_head_room > most_head_room) {
        throw StageError(ErrorCode::invalid_argument,
                         format("Expected head room of at most %zu bytes, received %zu.", most_head_room,
                                batch.result_head_room));
    }
    if (!limits.has_output) activation_row_bytes(batch.result_type, limits.output_size);
    request.activations         = batch.activations;
    request.activation_type     = batch.activation_type;
    request.result_type         = batch.result_type;
    request.result_head_room    = batch.result_head_room;
    request.result_outputs_only = batch.result_outputs_only;
    request.samples             = std::move(batch.samples);
    request.want_logits         = batch.want_logits;
    request.want_pooled         = batch.want_pooled;
    return request;
}

}  // namespace exo
