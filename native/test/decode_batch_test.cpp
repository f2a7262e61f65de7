#include "../stage/decode_batch.h"

#include <cstring>

#include "check.h"

using namespace exo;

static std::vector<uint8_t> encode(const std::vector<Row> & rows) {
    std::vector<uint8_t> bytes(rows.size() * 12);
    for (size_t index = 0; index < rows.size(); ++index) {
        const uint16_t flags = rows[index].output ? 1 : 0;
        uint8_t *      at    = bytes.data() + index * 12;
        std::memcpy(at, &rows[index].sequence, 2);
        std::memcpy(at + 2, &flags, 2);
        std::memcpy(at + 4, &rows[index].position, 4);
        std::memcpy(at + 8, &rows[index].token, 4);
    }
    return bytes;
}

static BatchLimits limits() {
    BatchLimits limits;
    limits.max_rows        = 4;
    limits.max_outputs     = 1;
    limits.max_sequences   = 2;
    limits.context_size    = 16;
    limits.vocabulary_size = 10;
    limits.input_size      = 8;
    limits.output_size     = 8;
    limits.has_embedding   = true;
    limits.has_output      = true;
    return limits;
}

static std::vector<Row> parse(const std::vector<Row> & rows, const BatchLimits & limits) {
    const auto bytes = encode(rows);
    return parse_rows(bytes.data(), bytes.size(), limits);
}

static void rows_outside_the_limits_are_refused() {
    const auto rows = parse({ { 1, true, 15, 9 } }, limits());
    CHECK(rows.size() == 1 && rows[0].sequence == 1 && rows[0].output && rows[0].position == 15 && rows[0].token == 9);
    const uint8_t short_row[11] = {};
    CHECK_THROWS(ErrorCode::bad_frame, parse_rows(short_row, 11, limits()));
    CHECK_THROWS(ErrorCode::invalid_argument, parse({ { 2, false, 0, 0 } }, limits()));
    CHECK_THROWS(ErrorCode::invalid_argument, parse({ { 0, false, -1, 0 } }, limits()));
    CHECK_THROWS(ErrorCode::context_exceeded, parse({ { 0, false, 16, 0 } }, limits()));
    CHECK_THROWS(ErrorCode::invalid_argument, parse({ { 0, false, 0, 10 } }, limits()));
    CHECK_THROWS(ErrorCode::invalid_argument, parse({ { 0, false, 0, -1 } }, limits()));
    CHECK_THROWS(ErrorCode::invalid_argument, parse(std::vector<Row>(5, { 0, false, 0, 0 }), limits()));
    CHECK_THROWS(ErrorCode::invalid_argument, parse({ { 0, true, 0, 0 }, { 0, true, 1, 0 } }, limits()));
    auto later          = limits();
    later.has_embedding = false;
    later.has_output    = false;
    // logits are what takes memory
    CHECK(parse({ { 0, true, 0, 1 }, { 0, true, 1, 2 } }, later).size() == 2);
    // layers of a few architectures look at tokens
    CHECK_THROWS(ErrorCode::invalid_argument, parse({ { 0, false, 0, -1 } }, later));
}

static void arrays_point_at_the_rows() {
    DecodeBatch            batch;
    const std::vector<Row> rows      = { { 0, false, 7, 1 }, { 1, true, 3, 2 } };
    const float            hidden[2] = {};
    const auto             flagged   = batch.build(rows, hidden, false);
    CHECK(flagged.embd == hidden && flagged.n_tokens == 2 && flagged.token[0] == 1);
    CHECK(flagged.pos[0] == 7 && flagged.seq_id[1][0] == 1 && flagged.logits[0] == 0 && flagged.logits[1] == 1);
    const auto all = batch.build(rows, nullptr, true);
    CHECK(all.embd == nullptr && all.token[1] == 2 && all.pos[1] == 3 && all.logits[0] == 1);
}

int main() {
    rows_outside_the_limits_are_refused();
    arrays_point_at_the_rows();
}
