#include "../stage/activation_pool.h"

#include <cstring>

#include "check.h"

using exo::ActivationPool;

static void buffers_are_aligned_and_reused() {
    ActivationPool  pool(1 << 20);
    uint8_t * const first = pool.take(5000);
    CHECK(reinterpret_cast<uintptr_t>(first) % 64 == 0);
    std::memset(first, 0xff, 5000);
    CHECK(pool.in_use() == 1);
    pool.give_back(first, 5000);
    CHECK(pool.in_use() == 0);
    CHECK(pool.idle_bytes() >= 5000 && pool.idle_bytes() <= 5000 + 5000 / 4 + 1024);
    // a size that needs the same capacity gets the same buffer
    uint8_t * const second = pool.take(5001);
    CHECK(second == first);
    CHECK(pool.idle_bytes() == 0);
    pool.give_back(second, 5001);
}

static void idle_bytes_are_bounded() {
    ActivationPool pool(100'000);
    std::vector<uint8_t *> buffers;
    for (int index = 0; index < 50; ++index) buffers.push_back(pool.take(10'000));
    CHECK(pool.in_use() == 50);
    for (auto * buffer : buffers) pool.give_back(buffer, 10'000);
    CHECK(pool.in_use() == 0);
    CHECK(pool.idle_bytes() > 0 && pool.idle_bytes() <= 100'000);
}

static void the_owner_gives_back() {
    auto &     shared = ActivationPool::shared();
    const auto before = shared.in_use();
    {
        exo::PooledBuffer first(100);
        exo::PooledBuffer second = std::move(first);
        CHECK(!first && second);
        CHECK(shared.in_use() == before + 1);
    }
    CHECK(shared.in_use() == before);
}

int main() {
    buffers_are_aligned_and_reused();
    idle_bytes_are_bounded();
    the_owner_gives_back();
}
