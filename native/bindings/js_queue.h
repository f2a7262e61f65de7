#pragma once

#include <atomic>
#include <functional>
#include <mutex>
#include <vector>

#include "../napi_setup.h"

namespace exo {

// Work that other threads leave for the JavaScript thread of one environment. What has gathered by the time that thread
// comes is done in one go.
class JsQueue {
  public:
    using Task = std::function<void(Napi::Env)>;

    explicit JsQueue(Napi::Env env);

    // From any thread. After `stop` the task is dropped.
    void post(Task task);
    void stop() { stopped_ = true; }

    // On the JavaScript thread: while something is awaited, the event loop stays alive.
    void await_one();
    void awaited_one_done();

  private:
    static void run_tasks(Napi::Env env, Napi::Function, JsQueue * queue, void *);
    using ThreadSafeFunction = Napi::TypedThreadSafeFunction<JsQueue, void, run_tasks>;

    Napi::Env          env_;
    ThreadSafeFunction function_;
    std::mutex         mutex_;
    std::vector<Task>  tasks_;
    std::atomic<bool>  stopped_{ false };
    size_t             awaited_ = 0;
};

}  // namespace exo
