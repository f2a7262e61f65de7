#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

namespace exo {

// Buffers for hidden states: 64-byte aligned (a cache line, and what vector kernels like best), reused so that a ring
// does not allocate per token. Thread-safe; lives as long as the process, so a late finalizer always finds it.
class ActivationPool {
  public:
    static constexpr size_t alignment = 64;

    // `idle_limit`: bytes kept for reuse; what comes back beyond that is freed.
    explicit ActivationPool(size_t idle_limit) : idle_limit_(idle_limit) {}
    ~ActivationPool();
    ActivationPool(const ActivationPool &)             = delete;
    ActivationPool & operator=(const ActivationPool &) = delete;

    static ActivationPool & shared();

    // A buffer of at least `size` bytes. Throws std::bad_alloc.
    uint8_t * take(size_t size);
    // `size` as it was asked for.
    void      give_back(uint8_t * data, size_t size) noexcept;

    size_t in_use() const;
    size_t idle_bytes() const;

  private:
    static size_t capacity_for(size_t size);

    const size_t                                idle_limit_;
    mutable std::mutex                          mutex_;
    std::map<size_t, std::vector<uint8_t *>>    idle_;  // by capacity
    size_t                                      idle_bytes_ = 0;
    size_t                                      in_use_     = 0;
};

// Owns one buffer of the shared pool until `release()` hands it on.
class PooledBuffer {
  public:
    PooledBuffer() = default;
    explicit PooledBuffer(size_t size) : data_(ActivationPool::shared().take(size)), size_(size) {}
    PooledBuffer(PooledBuffer && other) noexcept : data_(other.data_), size_(other.size_) { other.data_ = nullptr; }
    PooledBuffer & operator=(PooledBuffer && other) noexcept {
        std::swap(data_, other.data_);
        std::swap(size_, other.size_);
        return *this;
    }
    ~PooledBuffer() {
        if (data_ != nullptr) ActivationPool::shared().give_back(data_, size_);
    }

    explicit  operator bool() const { return data_ != nullptr; }
    uint8_t * data() const { return data_; }
    size_t    size() const { return size_; }
    uint8_t * release() {
        uint8_t * data = data_;
        data_          = nullptr;
        return data;
    }

  private:
    uint8_t * data_ = nullptr;
    size_t    size_ = 0;
};

}  // namespace exo
