#include "abort_guard.h"

#include <cstdio>
#include <mutex>
#include <string>

#include "error.h"
#include "ggml.h"
#include "log_router.h"

namespace exo {
namespace {

thread_local int guards = 0;

void on_abort(const char * message) {
    if (guards > 0) {
        throw StageError(ErrorCode::internal, std::string("llama.cpp found an inconsistency: ") + message);
    }
    // On a compute thread of ggml there is nobody to catch: say why before the process ends. The device's own words, e.g.
    // which call of CUDA failed, came just before.
    print_newest_errors();
    std::fprintf(stderr, "%s\n", message);
}

}  // namespace

void install_abort_guard() {
    static std::once_flag once;
    std::call_once(once, [] { ggml_set_abort_callback(on_abort); });
}

AbortGuard::AbortGuard() {
    ++guards;
}

AbortGuard::~AbortGuard() {
    --guards;
}

}  // namespace exo
