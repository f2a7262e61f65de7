#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

namespace exo {

// A bounded first-in first-out queue between the threads that ask and the one thread that works.
template <typename Job> class JobQueue {
  public:
    enum class Push { queued, full, closed };

    explicit JobQueue(size_t capacity) : capacity_(capacity) {}

    Push push(Job && job) {
        {
            const std::lock_guard<std::mutex> lock(mutex_);
            if (closed_) return Push::closed;
            if (jobs_.size() >= capacity_) return Push::full;
            jobs_.push_back(std::move(job));
        }
        changed_.notify_one();
        return Push::queued;
    }

    // Waits for the next job; none once the queue is closed.
    std::optional<Job> pop() {
        std::unique_lock<std::mutex> lock(mutex_);
        changed_.wait(lock, [this] { return closed_ || !jobs_.empty(); });
        if (closed_) return std::nullopt;
        Job job = std::move(jobs_.front());
        jobs_.pop_front();
        return job;
    }

    // Takes no more jobs, and hands back those that were waiting.
    std::vector<Job> close() {
        std::vector<Job> waiting;
        {
            const std::lock_guard<std::mutex> lock(mutex_);
            closed_ = true;
            for (Job & job : jobs_) waiting.push_back(std::move(job));
            jobs_.clear();
        }
        changed_.notify_all();
        return waiting;
    }

  private:
    const size_t            capacity_;
    std::mutex              mutex_;
    std::condition_variable changed_;
    std::deque<Job>         jobs_;
    bool                    closed_ = false;
};

}  // namespace exo
