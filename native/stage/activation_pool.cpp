#include "activation_pool.h"

#include <new>

namespace exo {
namespace {

// Holds a few prefill chunks of a large model (512 rows of 8192 f32 are 16 MiB).
constexpr size_t shared_idle_limit = size_t(64) << 20;

uint8_t * allocate(size_t capacity) {
    return static_cast<uint8_t *>(::operator new(capacity, std::align_val_t(ActivationPool::alignment)));
}

void deallocate(uint8_t * data) {
    ::operator delete(data, std::align_val_t(ActivationPool::alignment));
}

}  // namespace

ActivationPool & ActivationPool::shared() {
    // never destroyed: V8 may finalize a buffer after static destructors ran
    static ActivationPool * pool = new ActivationPool(shared_idle_limit);
    return *pool;
}

ActivationPool::~ActivationPool() {
    for (auto & [capacity, buffers] : idle_) {
        for (uint8_t * buffer : buffers) deallocate(buffer);
    }
}

// Four sizes per doubling: at most a quarter is wasted, and few enough sizes that buffers are found again.
size_t ActivationPool::capacity_for(size_t size) {
    size_t step = 1024;
    while (size > 4 * step) step *= 2;
    return (size + step - 1) / step * step;
}

uint8_t * ActivationPool::take(size_t size) {
    const size_t capacity = capacity_for(size == 0 ? 1 : size);
    {
        const std::lock_guard<std::mutex> lock(mutex_);
        auto                              found = idle_.find(capacity);
        if (found != idle_.end() && !found->second.empty()) {
            uint8_t * data = found->second.back();
            found->second.pop_back();
            idle_bytes_ -= capacity;
            ++in_use_;
            return data;
        }
    }
    uint8_t * data = allocate(capacity);
    const std::lock_guard<std::mutex> lock(mutex_);
    ++in_use_;
    return data;
}

void ActivationPool::give_back(uint8_t * data, size_t size) noexcept {
    const size_t capacity = capacity_for(size == 0 ? 1 : size);
    {
        const std::lock_guard<std::mutex> lock(mutex_);
        --in_use_;
        if (idle_bytes_ + capacity <= idle_limit_) {
            try {
                idle_[capacity].push_back(data);
                idle_bytes_ += capacity;
                return;
            } catch (const std::bad_alloc &) {
                // no room to note it: free it below
            }
        }
    }
    deallocate(data);
}

size_t ActivationPool::in_use() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    return in_use_;
}

size_t ActivationPool::idle_bytes() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    return idle_bytes_;
}

}  // namespace exo
