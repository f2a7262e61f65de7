#include "../stage/kv_operation.h"

#include "check.h"

using namespace exo;

static KvTraits traits() {
    KvTraits traits;
    traits.max_sequences = 3;
    traits.context_size  = 64;
    traits.can_shift     = true;
    traits.can_trim      = true;
    return traits;
}

static std::vector<KvOperation> parse(const std::vector<int32_t> & numbers, const KvTraits & traits) {
    return parse_kv_operations(numbers.data(), numbers.size(), traits);
}

int main() {
    const auto operations = parse({ 0, -1, 0, 0, -1, 0, 1, 0, 2, 0, 8, 0, 3, 1, 0, 4, -1, -2 }, traits());
    CHECK(operations.size() == 3);
    CHECK(operations[0].kind == KvOperation::remove && operations[0].sequence == -1);
    CHECK(operations[1].kind == KvOperation::copy && operations[1].destination == 2 && operations[1].p1 == 8);
    CHECK(operations[2].kind == KvOperation::add && operations[2].p0 == 4 && operations[2].delta == -2);

    CHECK(parse({}, traits()).empty());
    CHECK_THROWS(ErrorCode::bad_frame, parse({ 0, 0, 0, 0, 0 }, traits()));
    CHECK_THROWS(ErrorCode::bad_frame, parse({ 4, 0, 0, 0, 0, 0 }, traits()));
    CHECK_THROWS(ErrorCode::bad_frame, parse({ -1, 0, 0, 0, 0, 0 }, traits()));
    CHECK_THROWS(ErrorCode::invalid_argument, parse({ 0, 3, 0, 0, -1, 0 }, traits()));
    CHECK_THROWS(ErrorCode::invalid_argument, parse({ 1, 0, 3, 0, -1, 0 }, traits()));
    CHECK_THROWS(ErrorCode::invalid_argument, parse({ 1, 1, 1, 0, -1, 0 }, traits()));
    CHECK_THROWS(ErrorCode::invalid_argument, parse({ 2, -1, 0, 0, -1, 0 }, traits()));
    CHECK_THROWS(ErrorCode::invalid_argument, parse({ 0, 0, 0, 9, 3, 0 }, traits()));

    auto recurrent     = traits();
    recurrent.can_trim = recurrent.can_shift = false;
    CHECK(parse({ 0, 0, 0, 0, -1, 0, 1, 0, 1, 0, -1, 0 }, recurrent).size() == 2);
    CHECK_THROWS(ErrorCode::unsupported, parse({ 0, 0, 0, 5, -1, 0 }, recurrent));
    CHECK_THROWS(ErrorCode::unsupported, parse({ 1, 0, 1, 0, 5, 0 }, recurrent));
    CHECK_THROWS(ErrorCode::unsupported, parse({ 3, 0, 0, 0, -1, 1 }, recurrent));
}
