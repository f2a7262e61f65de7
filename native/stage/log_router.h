#pragma once

#include <functional>
#include <string>

namespace exo {

// Takes over the log of llama.cpp, ggml and llama-common for the whole process. Idempotent.
void install_log_router();

using LogSink = std::function<void(const char * level, const std::string & line)>;

// Sinks get every whole line, on whichever thread wrote it. Returns an id for `remove_log_sink`.
int  add_log_sink(LogSink sink);
void remove_log_sink(int id);

// A sentence of our own that the user should read; its level is "notice".
void log_notice(const std::string & line);

// Writes the newest error lines of ggml, on whichever thread they came, to standard error: when the process is about to end, what the
// sinks have handed to other threads comes too late.
void print_newest_errors();

// Collects what llama.cpp says on this thread while it lives: its functions return null and log why.
class LogCapture {
  public:
    LogCapture();
    ~LogCapture();
    LogCapture(const LogCapture &)             = delete;
    LogCapture & operator=(const LogCapture &) = delete;

    // The error lines so far, the most telling one first, without llama.cpp's function names; "" when there were none.
    std::string reason() const;

    // What our own rules in llama.cpp refused ("exo: …" in the log), without that mark; "" when it was not they.
    std::string refusal() const;

    // llama.cpp only warns, and goes on without the lock.
    bool saw_mlock_failure() const { return mlock_failed_; }

    void add_warning(const std::string & line) { mlock_failed_ = mlock_failed_ || is_mlock_failure(line); }
    void add_error(const std::string & line) { errors_ += line + "\n"; }

  private:
    static bool is_mlock_failure(const std::string & line);

    LogCapture * outer_;
    std::string  errors_;
    bool         mlock_failed_ = false;
};

}  // namespace exo
