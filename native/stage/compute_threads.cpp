#include "compute_threads.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <list>
#include <map>
#include <mutex>
#include <thread>
#include <utility>

namespace exo {
namespace {

using Clock = std::chrono::steady_clock;

// How long ggml's threads look for the next graph before they sleep, in ggml's unit of 131072 rounds. To wake them takes
// longer than a short graph has to spare, so where nobody else computes in between they are awake for the next token,
// some milliseconds; elsewhere they would spin in somebody's way.
constexpr uint32_t poll_asleep = 0;
constexpr uint32_t poll_awake  = 1;

// How long the head's way back waits for a neighbour's graph: about a token of a middling model, far from a prefill.
constexpr std::chrono::milliseconds patience{ 20 };

// From llama_decode where a computation failed, or, because of our rules, an assertion; codes above are the batch's fault.
constexpr int32_t decode_failed = -2;

// Time for the other threads of a graph that was left to end their part of its node, before its memory may be freed.
// ggml has nothing to wait for them with.
constexpr std::chrono::milliseconds last_node{ 200 };

// The CPU backend is opened at run time, so its functions are looked up by name.
template <typename Function> Function * cpu_function(const char * name) {
    const auto device = ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU);
    if (device == nullptr) return nullptr;
    const auto registry = ggml_backend_dev_backend_reg(device);
    return reinterpret_cast<Function *>(ggml_backend_reg_get_proc_address(registry, name));
}

}  // namespace

// Threads of ggml.
class ThreadPool {
  public:
    ThreadPool(int threads, uint32_t poll) {
        const auto create = cpu_function<decltype(ggml_threadpool_new)>("ggml_threadpool_new");
        if (create == nullptr) return;
        auto params = ggml_threadpool_params_default(threads);
        params.poll = poll;
        pool_       = create(&params);
    }

    // Threads that wait within a graph for good cannot be joined, so a retired pool is left to the end of the process.
    ~ThreadPool() {
        const auto destroy = cpu_function<decltype(ggml_threadpool_free)>("ggml_threadpool_free");
        if (destroy != nullptr && pool_ != nullptr && !retired_) destroy(pool_);
    }

    ThreadPool(const ThreadPool &)             = delete;
    ThreadPool & operator=(const ThreadPool &) = delete;

    // The pool of that kind, made when nobody has it yet.
    static std::shared_ptr<ThreadPool> shared(int threads, uint32_t poll) {
        static std::mutex                                                    mutex;
        static std::map<std::pair<int, uint32_t>, std::weak_ptr<ThreadPool>> pools;
        const std::lock_guard<std::mutex>                                    lock(mutex);
        auto pool = pools[{ threads, poll }].lock();
        if (!pool || pool->retired()) pools[{ threads, poll }] = pool = std::make_shared<ThreadPool>(threads, poll);
        return pool;
    }

    ggml_threadpool_t threads() const { return pool_; }
    bool              retired() const { return retired_; }
    void              retire() { retired_ = true; }

  private:
    ggml_threadpool_t pool_ = nullptr;
    std::atomic<bool> retired_{ false };
};

// The order in which the stages of a process compute, whatever their threads.
class Turns {
  public:
    // Outlives every thread that may still wait for it when the process ends.
    static Turns & of_process() {
        static auto * turns = new Turns;
        return *turns;
    }

    void wait_for_turn() {
        std::unique_lock<std::mutex> lock(mutex_);
        const auto                   mine = waiting_.insert(waiting_.cend(), std::this_thread::get_id());
        turn_.wait(lock, [&] { return is_turn_of(mine); });
        waiting_.erase(mine);
        taken_ = true;
    }

    // Goes before all who wait, but not before whoever computes now. False when that takes longer than `patience`.
    bool take_next_turn(std::chrono::milliseconds patience) {
        std::unique_lock<std::mutex> lock(mutex_);
        const auto                   mine = waiting_.insert(waiting_.cbegin(), std::this_thread::get_id());
        const bool                   came = turn_.wait_for(lock, patience, [&] { return is_turn_of(mine); });
        waiting_.erase(mine);
        taken_ = taken_ || came;
        return came;
    }

    void end_turn() {
        {
            const std::lock_guard<std::mutex> lock(mutex_);
            taken_      = false;
            free_since_ = Clock::now();
        }
        turn_.notify_all();
    }

    // How long after `asked` others still had turns. For whoever has the turn now.
    Clock::duration others_after(Clock::time_point asked) const {
        return std::max(Clock::duration(0), free_since_ - asked);
    }

  private:
    using Waiting = std::list<std::thread::id>;

    bool is_turn_of(Waiting::const_iterator one) const { return !taken_ && waiting_.cbegin() == one; }

    std::mutex              mutex_;
    std::condition_variable turn_;
    Waiting                 waiting_;
    bool                    taken_ = false;
    Clock::time_point       free_since_;
};

ComputeThreads::ComputeThreads(llama_context * context, int threads, int batch_threads, Sharing sharing,
                               bool keep_awake) :
    context_(context),
    threads_(threads),
    batch_threads_(batch_threads),
    sharing_(sharing),
    keep_awake_(keep_awake) {
    if (std::max(threads, batch_threads) == 1) return;
    if (sharing != Sharing::none) order_ = &Turns::of_process();
    attach_pool();
}

ComputeThreads::~ComputeThreads() {
    if (pool_) llama_detach_threadpool(context_);
}

std::shared_ptr<ThreadPool> ComputeThreads::find_pool() const {
    // A graph may use fewer threads than its pool has; the rest sleep on. So one pool does for both numbers, and must:
    // where a context goes from one pool to another, ggml puts the first to sleep, though a neighbour may compute on it.
    const int size = std::max(threads_, batch_threads_);
    if (sharing_ != Sharing::in_turn) return std::make_shared<ThreadPool>(size, poll_asleep);
    return ThreadPool::shared(size, keep_awake_ ? poll_awake : poll_asleep);
}

void ComputeThreads::attach_pool() {
    pool_ = find_pool();
    if (pool_->threads() != nullptr) llama_attach_threadpool(context_, pool_->threads(), nullptr);
}

int32_t ComputeThreads::decode(const llama_batch & batch) {
    const int32_t status = llama_decode(context_, batch);
    if (status <= decode_failed && pool_) {
        pool_->retire();
        std::this_thread::sleep_for(last_node);
    }
    return status;
}

ComputeThreads::Turn::Turn(ComputeThreads & threads) : order_(threads.order_) {
    if (order_ != nullptr) take(threads);
    if (threads.pool_ && threads.pool_->retired()) threads.attach_pool();
}

void ComputeThreads::Turn::take(ComputeThreads & threads) {
    const auto asked = Clock::now();
    if (threads.sharing_ == Sharing::in_turn) {
        order_->wait_for_turn();
    } else if (order_->take_next_turn(patience)) {
        llama_set_n_threads(threads.context_, threads.threads_, threads.batch_threads_);
    } else {
        llama_set_n_threads(threads.context_, 1, 1);
        order_ = nullptr;
    }
    wait_.all           = Clock::now() - asked;
    wait_.behind_others = order_ == nullptr ? wait_.all : order_->others_after(asked);
}

ComputeThreads::Turn::~Turn() {
    if (order_ != nullptr) order_->end_turn();
}

}  // namespace exo
