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

    void add_error(const std::string & line) { errors_ += line + "\n"; }

  private:
    LogCapture * outer_;
    std::string  errors_;
};

}  // namespace exo
