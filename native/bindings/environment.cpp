#include "environment.h"

#include <cstring>

#include "../stage/log_router.h"

namespace exo {
namespace {

// Log lines that may wait for JavaScript; beyond that only warnings and errors are added.
constexpr size_t most_log_lines = 1000;

bool may_be_dropped(const char * level) {
    return std::strcmp(level, "debug") == 0 || std::strcmp(level, "info") == 0;
}

}  // namespace

Environment::Environment(Napi::Env env) : queue_(env), log_lines_waiting_(std::make_shared<std::atomic<size_t>>(0)) {
    // Hooks run last first, so this one comes before the queue's own function is taken down.
    env.AddCleanupHook([](Environment * environment) { environment->shut_down(); }, this);
    // process.exit() skips the hooks and goes on to destroy ggml's static objects, under a thread that may compute.
    const auto process = env.Global().Get("process").As<Napi::Object>();
    const auto on_exit = Napi::Function::New(env, [](const Napi::CallbackInfo & info) {
        Environment::of(info.Env()).shut_down();
    });
    process.Get("once").As<Napi::Function>().Call(process, { Napi::String::New(env, "exit"), on_exit });
}

uint64_t Environment::add_stage(std::shared_ptr<Stage> stage) {
    const auto number = next_stage_++;
    stages_.emplace(number, std::move(stage));
    return number;
}

uint64_t Environment::add_promise(std::unique_ptr<PendingPromise> promise) {
    const auto number = next_promise_++;
    promises_.emplace(number, std::move(promise));
    queue_.await_one();
    return number;
}

std::unique_ptr<PendingPromise> Environment::take_promise(uint64_t number) {
    const auto found = promises_.find(number);
    if (found == promises_.end()) return nullptr;
    auto promise = std::move(found->second);
    promises_.erase(found);
    queue_.awaited_one_done();
    return promise;
}

Napi::FunctionReference * Environment::callback_of(uint64_t number) {
    const auto found = promises_.find(number);
    return found == promises_.end() ? nullptr : &found->second->callback;
}

void Environment::set_log_sink(Napi::Value sink) {
    remove_log_sink();
    if (sink.IsNull()) return;
    log_function_ = Napi::Persistent(sink.As<Napi::Function>());
    log_sink_     = add_log_sink([this, waiting = log_lines_waiting_](const char * level, const std::string & line) {
        if (may_be_dropped(level) && *waiting >= most_log_lines) return;
        ++*waiting;
        queue_.post([this, waiting, level, line](Napi::Env env) {
            --*waiting;
            if (log_function_.IsEmpty()) return;
            log_function_.Call({ Napi::String::New(env, level), Napi::String::New(env, line) });
        });
    });
}

void Environment::remove_log_sink() {
    exo::remove_log_sink(log_sink_);
    log_sink_ = 0;
    log_function_.Reset();
}

void Environment::shut_down() {
    exo::remove_log_sink(log_sink_);
    for (const auto & [number, stage] : stages_) stage->shut_down();
    stages_.clear();
    queue_.stop();
    promises_.clear();
    log_function_.Reset();
}

}  // namespace exo
