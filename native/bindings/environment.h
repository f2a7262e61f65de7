#pragma once

#include <cstdint>
#include <memory>
#include <unordered_map>

#include "../napi_setup.h"
#include "../stage/stage.h"
#include "js_queue.h"

namespace exo {

// A promise that a stage's thread will settle, with what must stay alive until then. Lives on the JavaScript thread;
// the stage's thread knows only its number.
struct PendingPromise {
    explicit PendingPromise(Napi::Env env) : deferred(Napi::Promise::Deferred::New(env)) {}

    Napi::Promise::Deferred            deferred;
    Napi::FunctionReference            callback;
    std::vector<Napi::ObjectReference> kept_alive;
};

// Everything of the addon that belongs to one JavaScript environment (the main thread, or one worker thread).
class Environment {
  public:
    explicit Environment(Napi::Env env);
    Environment(const Environment &)             = delete;
    Environment & operator=(const Environment &) = delete;

    static Environment & of(Napi::Env env) { return *env.GetInstanceData<Environment>(); }

    JsQueue & queue() { return queue_; }

    // Returns the promise's number for `settle`.
    uint64_t       add_promise(std::unique_ptr<PendingPromise> promise);
    // The promise, which is then no longer pending; null when it was settled already.
    std::unique_ptr<PendingPromise> take_promise(uint64_t number);
    // The progress callback or the like of a pending promise; null when it is settled.
    Napi::FunctionReference *       callback_of(uint64_t number);

    // A live stage is closed at the latest when the environment ends. Other threads know it by its number, so that the
    // last reference, which waits for the stage's thread, is dropped on the JavaScript thread.
    uint64_t add_stage(std::shared_ptr<Stage> stage);
    void     remove_stage(uint64_t number) { stages_.erase(number); }

    void set_log_sink(Napi::Value sink);

    // Ends every stage, waits for their threads, and drops what was awaited. After it nothing of this environment is
    // touched by another thread. Idempotent.
    void shut_down();

  private:
    void remove_log_sink();

    JsQueue                                                        queue_;
    uint64_t                                                       next_promise_ = 1;
    std::unordered_map<uint64_t, std::unique_ptr<PendingPromise>>  promises_;
    uint64_t                                                       next_stage_ = 1;
    std::unordered_map<uint64_t, std::shared_ptr<Stage>>           stages_;
    Napi::FunctionReference                                        log_function_;
    int                                                            log_sink_ = 0;
    std::shared_ptr<std::atomic<size_t>>                           log_lines_waiting_;
};

}  // namespace exo
