#include <algorithm>

#if defined(_WIN32)
#    include <windows.h>
#else
#    include <dlfcn.h>
#endif

#include "../stage/activation_pool.h"
#include "../stage/counters.h"
#include "../stage/cpu_cores.h"
#include "../stage/devices.h"
#include "environment.h"
#include "exports.h"
#include "fields.h"

namespace exo {
namespace {

// The file that holds this very function.
std::string addon_file() {
#if defined(_WIN32)
    HMODULE module = nullptr;
    GetModuleHandleExA(GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS | GET_MODULE_HANDLE_EX_FLAG_UNCHANGED_REFCOUNT,
                       reinterpret_cast<LPCSTR>(&addon_file), &module);
    char path[MAX_PATH] = {};
    GetModuleFileNameA(module, path, sizeof(path));
    return path;
#else
    Dl_info found{};
    return dladdr(reinterpret_cast<void *>(&addon_file), &found) != 0 ? found.dli_fname : "";
#endif
}

}  // namespace

// library_info(): NativeLibraryInfo
Napi::Value library_info(const Napi::CallbackInfo & info) {
    const auto file   = addon_file();
    auto       result = Napi::Object::New(info.Env());
    result.Set("llama_tag", EXO_LLAMA_TAG);
    result.Set("llama_commit", EXO_LLAMA_COMMIT);
    result.Set("ggml_origin", EXO_GGML_ORIGIN);
    result.Set("library_directory", file.substr(0, file.find_last_of("/\\")));
    return result;
}

// backends_load(directory: string): readonly string[]
Napi::Value backends_load(const Napi::CallbackInfo & info) {
    const auto names  = load_backends(text_argument(info, 0, "directory"));
    auto       result = Napi::Array::New(info.Env(), names.size());
    for (uint32_t index = 0; index < names.size(); ++index) result.Set(index, names[index]);
    return result;
}

// devices_list(): readonly NativeDevice[]
Napi::Value devices_list(const Napi::CallbackInfo & info) {
    const auto devices = list_devices();
    auto       result  = Napi::Array::New(info.Env(), devices.size());
    for (uint32_t index = 0; index < devices.size(); ++index) {
        const auto & device = devices[index];
        auto         entry  = Napi::Object::New(info.Env());
        entry.Set("name", device.name);
        entry.Set("description", device.description);
        entry.Set("kind", device.kind);
        entry.Set("memory_free", static_cast<double>(device.memory_free));
        entry.Set("memory_total", static_cast<double>(device.memory_total));
        result.Set(index, entry);
    }
    return result;
}

// cpu_cores(): NativeCpuCores
Napi::Value cpu_cores(const Napi::CallbackInfo & info) {
    const auto cores = exo::cpu_cores();
    auto       cpus  = Napi::Int32Array::New(info.Env(), cores.cpus.size());
    std::copy(cores.cpus.begin(), cores.cpus.end(), cpus.Data());
    auto result = Napi::Object::New(info.Env());
    result.Set("cpus", cpus);
    result.Set("quota", cores.quota);
    result.Set("group", cores.group);
    return result;
}

// log_set_sink(sink: ((level: string, text: string) => void) | null): void
Napi::Value log_set_sink(const Napi::CallbackInfo & info) {
    if (!info[0].IsNull() && !info[0].IsFunction()) refuse_value("sink", "a function or null", info[0]);
    Environment::of(info.Env()).set_log_sink(info[0]);
    return info.Env().Undefined();
}

// counters(): NativeCounters
Napi::Value counters(const Napi::CallbackInfo & info) {
    const auto & pool   = ActivationPool::shared();
    auto         result = Napi::Object::New(info.Env());
    result.Set("stages", Counters::shared().stages.load());
    result.Set("samplers", Counters::shared().samplers.load());
    result.Set("activation_buffers_in_use", static_cast<double>(pool.in_use()));
    result.Set("activation_bytes_pooled", static_cast<double>(pool.idle_bytes()));
    return result;
}

}  // namespace exo
