#include "batch_thread.h"

#if defined(__linux__)
#    include <pthread.h>
#    include <sched.h>
#endif

namespace exo {

void make_this_thread_batch() {
#if defined(__linux__)
    sched_param none{};
    // needs no privilege; where a sandbox forbids it, nothing but speed is lost
    pthread_setschedparam(pthread_self(), SCHED_BATCH, &none);
#endif
}

}  // namespace exo
