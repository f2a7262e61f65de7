#pragma once

#include "ggml-cpu.h"
#include "llama.h"

namespace exo {

// ggml starts and ends its threads for every graph unless it is given a pool. These threads sleep between graphs
// rather than spin, because a stage waits for its neighbours most of the time and may share the machine with them.
class ComputeThreads {
  public:
    ComputeThreads(llama_context * context, int threads, int batch_threads);
    ~ComputeThreads();
    ComputeThreads(const ComputeThreads &)             = delete;
    ComputeThreads & operator=(const ComputeThreads &) = delete;

  private:
    llama_context *   context_;
    ggml_threadpool_t pool_       = nullptr;
    ggml_threadpool_t batch_pool_ = nullptr;
};

}  // namespace exo
