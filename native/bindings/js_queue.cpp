#include "js_queue.h"

namespace exo {

JsQueue::JsQueue(Napi::Env env) :
    env_(env),
    function_(ThreadSafeFunction::New(env, "exo_native", /*maxQueueSize=*/0, /*initialThreadCount=*/1, this)) {
    function_.Unref(env);
}

void JsQueue::post(Task task) {
    bool first = false;
    {
        const std::lock_guard<std::mutex> lock(mutex_);
        if (stopped_) return;
        first = tasks_.empty();
        tasks_.push_back(std::move(task));
    }
    if (first) function_.NonBlockingCall();
}

void JsQueue::await_one() {
    if (awaited_++ == 0) function_.Ref(env_);
}

void JsQueue::awaited_one_done() {
    if (--awaited_ == 0) function_.Unref(env_);
}

void JsQueue::run_tasks(Napi::Env env, Napi::Function, JsQueue * queue, void *) {
    // null while the environment is torn down
    if (env == nullptr) return;
    std::vector<Task> tasks;
    {
        const std::lock_guard<std::mutex> lock(queue->mutex_);
        tasks.swap(queue->tasks_);
    }
    for (const auto & task : tasks) {
        try {
            const Napi::HandleScope scope(env);
            task(env);
        } catch (const Napi::Error & error) {
            // thrown by a callback of the caller: nobody awaits it, so it is an uncaught exception like any other
            napi_fatal_exception(env, error.Value());
        }
    }
}

}  // namespace exo
