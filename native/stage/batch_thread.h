#pragma once

namespace exo {

// Tells the system that this thread computes for long and answers nobody: when it is woken it does not interrupt what
// runs on its core. A stage's thread is woken by the event loop, which then ends its turn first, rather than in the
// middle of a computation that has emptied the caches; threads started from here on inherit it.
void make_this_thread_batch();

}  // namespace exo
