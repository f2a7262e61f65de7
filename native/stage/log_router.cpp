#include "log_router.h"

#include <log.h>

#include <array>
#include <cstdio>
#include <cstring>
#include <map>
#include <mutex>
#include <regex>
#include <sstream>
#include <vector>

#include "llama.h"

namespace exo {
namespace {

std::mutex             sinks_mutex;
std::map<int, LogSink> sinks;
int                    next_sink_id = 1;

// Kept for the end of the process. Fixed memory: then nothing may be allocated.
constexpr size_t kept_errors      = 8;
constexpr size_t kept_error_bytes = 256;
using KeptError                   = std::array<char, kept_error_bytes>;

std::mutex                         errors_mutex;
std::array<KeptError, kept_errors> newest_errors;
size_t                             errors_seen = 0;

// llama.cpp may name what a user sent, a grammar say; ggml and its backends know of tensors and devices only.
bool is_from_ggml(const std::string & line) {
    for (const char * begin : { "ggml", "CUDA", "ROCm", "MUSA", "SYCL", "  current device", "  cu", "  hip", "  mu" }) {
        if (line.rfind(begin, 0) == 0) return true;
    }
    return false;
}

void keep_error(const std::string & line) {
    if (!is_from_ggml(line)) return;
    const std::lock_guard<std::mutex> lock(errors_mutex);
    auto &                            kept = newest_errors[errors_seen++ % kept_errors];
    std::snprintf(kept.data(), kept.size(), "%s", line.c_str());
}

thread_local LogCapture * capture = nullptr;

// llama.cpp writes lines in pieces (GGML_LOG_LEVEL_CONT); a piece takes the level of the line it goes on with.
thread_local std::string    pending_line;
thread_local ggml_log_level pending_level  = GGML_LOG_LEVEL_INFO;
// It may quote what somebody sent or is answered, on every line that it breaks into.
thread_local bool           pending_quotes = false;

const char * level_name(ggml_log_level level) {
    switch (level) {
        case GGML_LOG_LEVEL_ERROR: return "error";
        case GGML_LOG_LEVEL_WARN:  return "warn";
        case GGML_LOG_LEVEL_DEBUG: return "debug";
        default:                   return "info";
    }
}

void emit_line(ggml_log_level level, const std::string & line) {
    if (line.empty()) return;
    if (level == GGML_LOG_LEVEL_ERROR) keep_error(line);
    if (level == GGML_LOG_LEVEL_ERROR && capture != nullptr) capture->add_error(line);
    if (level == GGML_LOG_LEVEL_WARN && capture != nullptr) capture->add_warning(line);
    if (pending_quotes) return;
    const std::lock_guard<std::mutex> lock(sinks_mutex);
    for (const auto & [id, sink] : sinks) sink(level_name(level), line);
}

// Of what is asked and answered llama.cpp logs only what it says of grammars, and that word is in all of it.
bool quotes_requests(const char * text) {
    return std::strstr(text, "rammar") != nullptr;
}

void on_log(ggml_log_level level, const char * text, void *) {
    if (level != GGML_LOG_LEVEL_CONT) {
        // a line of a grammar's that was never ended
        if (pending_quotes) pending_line.clear();
        pending_level  = level;
        pending_quotes = false;
    }
    pending_quotes = pending_quotes || quotes_requests(text);
    for (const char * at = text; *at != '\0'; ++at) {
        if (*at != '\n') {
            pending_line += *at;
            continue;
        }
        std::string line;
        line.swap(pending_line);
        emit_line(pending_level, line);
    }
}

}  // namespace

void install_log_router() {
    static std::once_flag once;
    std::call_once(once, [] {
        llama_log_set(on_log, nullptr);
        // llama-common logs to the terminal from a thread of its own; what it says also comes as exceptions.
        common_log_set_verbosity_thold(LOG_LEVEL_OUTPUT - 1);
    });
}

int add_log_sink(LogSink sink) {
    const std::lock_guard<std::mutex> lock(sinks_mutex);
    sinks.emplace(next_sink_id, std::move(sink));
    return next_sink_id++;
}

void remove_log_sink(int id) {
    const std::lock_guard<std::mutex> lock(sinks_mutex);
    sinks.erase(id);
}

void log_notice(const std::string & line) {
    const std::lock_guard<std::mutex> lock(sinks_mutex);
    for (const auto & [id, sink] : sinks) sink("notice", line);
}

void print_newest_errors() {
    const std::unique_lock<std::mutex> lock(errors_mutex, std::try_to_lock);
    if (!lock.owns_lock()) return;
    const size_t first = errors_seen > kept_errors ? errors_seen - kept_errors : 0;
    for (size_t at = first; at < errors_seen; ++at) {
        std::fprintf(stderr, "%s\n", newest_errors[at % kept_errors].data());
    }
}

LogCapture::LogCapture() : outer_(capture) {
    capture = this;
}

LogCapture::~LogCapture() {
    capture = outer_;
    if (outer_ != nullptr) outer_->mlock_failed_ = outer_->mlock_failed_ || mlock_failed_;
}

std::string LogCapture::reason() const {
    // "llama_model_load: error loading model: the reason" and the lines that only repeat that loading failed
    static const std::regex prefix("^[A-Za-z_0-9:~<>]+: (error loading model: )?");
    static const std::regex hollow("failed to load model|failed to initialize batch|failed to decode, ret|"
                                   "failed to read (header|magic)$");
    std::istringstream      lines(errors_);
    std::string             text, line, fallback;
    while (std::getline(lines, line)) {
        const std::string bare = std::regex_replace(line, prefix, "", std::regex_constants::format_first_only);
        if (bare.empty() || std::regex_search(bare, hollow)) {
            if (fallback.empty()) fallback = bare;
            continue;
        }
        // an indented line goes on with the sentence before it
        const bool continues = bare[0] == ' ';
        text += (text.empty() || continues ? "" : "; ") + bare;
    }
    return text.empty() ? fallback : text;
}

bool LogCapture::is_mlock_failure(const std::string & line) {
    for (const char * sign : { "failed to mlock", "failed to VirtualLock", "mlock not supported" }) {
        if (line.find(sign) != std::string::npos) return true;
    }
    return false;
}

std::string LogCapture::refusal() const {
    static const std::string mark  = "exo: ";
    const auto               begin = errors_.find(mark);
    if (begin == std::string::npos) return "";
    return errors_.substr(begin + mark.size(), errors_.find('\n', begin) - begin - mark.size());
}

}  // namespace exo
