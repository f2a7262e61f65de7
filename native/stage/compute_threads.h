#pragma once

#include <chrono>
#include <memory>

#include "ggml-cpu.h"
#include "llama.h"

namespace exo {

class ThreadPool;
class Turns;

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
// The stages of a process compute in turn: ggml's threads spin while they wait for each other within a graph, so two
// graphs at once on the same cores take longer than one after the other. Those with the same number of threads share
// them. A stage with a single thread spins for nobody: it has no pool and does not wait.
class ComputeThreads {
  public:
    // `keep_awake`: nobody else computes between this stage's graphs, so its threads may spin until the next one.
    ComputeThreads(llama_context * context, int threads, int batch_threads, Sharing sharing, bool keep_awake);
    ~ComputeThreads();
    ComputeThreads(const ComputeThreads &)             = delete;
    ComputeThreads & operator=(const ComputeThreads &) = delete;

    // What a turn cost before it was had.
    struct Wait {
        std::chrono::steady_clock::duration all{ 0 };
        // Until the last neighbour's turn ended; the rest is waking up.
        std::chrono::steady_clock::duration behind_others{ 0 };
    };

    // While it lives, the context may compute.
    class Turn {
      public:
        explicit Turn(ComputeThreads & threads);
        ~Turn();
        Turn(const Turn &)             = delete;
        Turn & operator=(const Turn &) = delete;

        const Wait & wait() const { return wait_; }

      private:
        void take(ComputeThreads & threads);

        Turns * order_;  // null: nothing to give back
        Wait    wait_;
    };

    // `llama_decode`, within a turn. Where an assertion fails in the middle of a graph, the other threads wait for this
    // one for good; stages that share them get new ones at their next turn.
    int32_t decode(const llama_batch & batch);

  private:
    std::shared_ptr<ThreadPool> find_pool() const;
    void                        attach_pool();

    llama_context *             context_;
    const int                   threads_;
    const int                   batch_threads_;
    const Sharing               sharing_;
    const bool                  keep_awake_;
    std::shared_ptr<ThreadPool> pool_;   // null for a single thread
    Turns *                     order_ = nullptr;  // whose turns count; null: nobody's
};

}  // namespace exo
