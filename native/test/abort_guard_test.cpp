#include "../stage/abort_guard.h"

#ifdef _WIN32
int main() {
    return 0;
}
#else

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <string>
#include <thread>

#include "../stage/log_router.h"
#include "check.h"
#include "ggml.h"

using namespace exo;

// Of ggml-impl.h: how ggml and its backends log.
extern "C" void ggml_log_internal(enum ggml_log_level level, const char * format, ...);

namespace {

void say_error(const char * line) {
    ggml_log_internal(GGML_LOG_LEVEL_ERROR, "%s\n", line);
}

void abort_on_another_thread() {
    install_log_router();
    install_abort_guard();
    say_error("CUDA error: out of memory");
    say_error("  cudaMalloc(&pointer, size)");
    say_error("llama_grammar: what a user sent");
    const AbortGuard guard;  // of this thread, not of the one that fails
    std::thread([] { GGML_ABORT("the %s is wrong", "shape"); }).join();
}

// What a process that does this writes on standard error, and the signal that ends it.
std::string last_words(void (*doing)(), int & signal) {
    int pipe_ends[2];
    CHECK(pipe(pipe_ends) == 0);
    const pid_t child = fork();
    if (child == 0) {
        dup2(pipe_ends[1], STDERR_FILENO);
        doing();
        _exit(0);
    }
    close(pipe_ends[1]);
    std::string words;
    char        part[512];
    for (ssize_t count = 0; (count = read(pipe_ends[0], part, sizeof(part))) > 0;) words.append(part, size_t(count));
    int status = 0;
    CHECK(waitpid(child, &status, 0) == child);
    signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    return words;
}

void a_thread_without_guard_says_why_before_the_end() {
    int               signal = 0;
    const std::string words  = last_words(abort_on_another_thread, signal);
    CHECK(signal == SIGABRT);
    CHECK(words.find("abort_guard_test.cpp:") != std::string::npos);
    CHECK(words.find(": the shape is wrong\n") != std::string::npos);
    CHECK(words.find("CUDA error: out of memory\n  cudaMalloc(&pointer, size)\n") != std::string::npos);
    CHECK(words.find("what a user sent") == std::string::npos);
}

void a_guarded_thread_gets_an_error() {
    install_abort_guard();
    const auto fail = [] {
        const AbortGuard guard;
        GGML_ABORT("not here");
    };
    CHECK_THROWS(ErrorCode::internal, (fail(), 0));
}

}  // namespace

int main() {
    a_thread_without_guard_says_why_before_the_end();
    a_guarded_thread_gets_an_error();
}
#endif
