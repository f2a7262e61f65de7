#pragma once

#include <chrono>
#include <memory>

#include "ggml-cpu.h"
#include "llama.h"

namespace exo {

class ThreadPool;

// How a stage gets on with the other stages of its process.
enum class Sharing {
    // They compute one after the other, first come, first served.
    in_turn,
    // The same for a stage whose work is small and urgent, the head's way back: it goes first, and where a neighbour
    // computes for long (a prefill), it does not wait but computes on its own thread alone. The bits are the same,
    // because its operations do not divide a sum among threads.
    urgent,
    // It waits for a GPU most of the time, and for nobody else.
    none,
};

// The threads that a stage computes with. ggml starts and ends its threads for every graph unless it is given a pool.
//
// All stages of the process with the same number of threads compute in turn: ggml's threads spin while they wait for
// each other within a graph, so two graphs at once on the same cores take longer than one after the other. A stage with
// a single thread spins for nobody: it has no pool and does not wait.
class ComputeThreads {
  public:
    // `whole`: the stage holds the whole model, so nothing happens elsewhere between its graphs.
    ComputeThreads(llama_context * context, int threads, int batch_threads, Sharing sharing, bool whole);
    ~ComputeThreads();
    ComputeThreads(const ComputeThreads &)             = delete;
    ComputeThreads & operator=(const ComputeThreads &) = delete;

    // What a turn cost before it was had.
    struct Wait {
        std::chrono::steady_clock::duration all{ 0 };
        // Until the last neighbour's turn ended; the rest is waking up.
        std::chrono::steady_clock::duration behind_others{ 0 };
    };

    // While it lives, the context may compute. Held around `llama_decode`.
    class Turn {
      public:
        explicit Turn(ComputeThreads & threads);
        ~Turn();
        Turn(const Turn &)             = delete;
        Turn & operator=(const Turn &) = delete;

        const Wait & wait() const { return wait_; }

      private:
        ThreadPool * order_;  // null: nothing to give back
        Wait         wait_;
    };

  private:
    llama_context *             context_;
    const int                   threads_;
    const int                   batch_threads_;
    const Sharing               sharing_;
    std::shared_ptr<ThreadPool> pool_;   // null for a single thread
    std::shared_ptr<ThreadPool> order_;  // whose turns count; null: nobody's
};

}  // namespace exo
