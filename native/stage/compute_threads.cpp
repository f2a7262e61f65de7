#include "compute_threads.h"

namespace exo {
namespace {

// The CPU backend is opened at run time, so its functions are looked up by name.
template <typename Function> Function * cpu_function(const char * name) {
    const auto device = ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU);
    if (device == nullptr) return nullptr;
    const auto registry = ggml_backend_dev_backend_reg(device);
    return reinterpret_cast<Function *>(ggml_backend_reg_get_proc_address(registry, name));
}

ggml_threadpool_t new_pool(int threads) {
    const auto create = cpu_function<decltype(ggml_threadpool_new)>("ggml_threadpool_new");
    if (create == nullptr) return nullptr;
    auto params = ggml_threadpool_params_default(threads);
    params.poll = 0;
    return create(&params);
}

void free_pool(ggml_threadpool_t pool) {
    const auto destroy = cpu_function<decltype(ggml_threadpool_free)>("ggml_threadpool_free");
    if (destroy != nullptr && pool != nullptr) destroy(pool);
}

}  // namespace

ComputeThreads::ComputeThreads(llama_context * context, int threads, int batch_threads) : context_(context) {
    if (threads == 1 && batch_threads == 1) return;
    pool_ = new_pool(threads);
    if (pool_ != nullptr && batch_threads != threads) batch_pool_ = new_pool(batch_threads);
    if (pool_ != nullptr) llama_attach_threadpool(context_, pool_, batch_pool_);
}

ComputeThreads::~ComputeThreads() {
    if (pool_ == nullptr) return;
    llama_detach_threadpool(context_);
    free_pool(batch_pool_);
    free_pool(pool_);
}

}  // namespace exo
