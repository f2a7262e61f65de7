#include "memory_lock.h"

#include "text.h"

#if !defined(_WIN32)
#    include <sys/resource.h>
#endif

namespace exo {
namespace {

uint64_t lock_limit() {
#if defined(_WIN32)
    return UINT64_MAX;
#else
    rlimit limit{};
    if (getrlimit(RLIMIT_MEMLOCK, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return UINT64_MAX;
    return limit.rlim_cur;
#endif
}

}  // namespace

std::string mlock_warning() {
    return mlock_warning(lock_limit());
}

std::string mlock_warning(uint64_t limit) {
    const std::string what = "Not all weights could be locked in memory, so the system may still swap them out; the "
                             "model runs all the same. ";
    if (limit == UINT64_MAX) return what + "There is too little memory for it, or the system does not allow it.";
    return what + "This process may lock " + readable_bytes(limit) +
           ": raise that with `ulimit -l unlimited`, with LimitMEMLOCK=infinity in a systemd unit, or with --ulimit "
           "memlock=-1 for a container.";
}

}  // namespace exo
