#include "devices.h"

#include <mutex>
#include <set>

#include "abort_guard.h"
#include "error.h"
#include "host_memory.h"
#include "llama.h"
#include "log_router.h"

namespace exo {
namespace {

bool in_host_memory(ggml_backend_dev_t device) {
    const auto type = ggml_backend_dev_type(device);
    return type == GGML_BACKEND_DEVICE_TYPE_CPU || type == GGML_BACKEND_DEVICE_TYPE_ACCEL;
}

const char * kind_of(ggml_backend_dev_t device) {
    switch (ggml_backend_dev_type(device)) {
        case GGML_BACKEND_DEVICE_TYPE_CPU:  return "cpu";
        case GGML_BACKEND_DEVICE_TYPE_GPU:  return "gpu";
        case GGML_BACKEND_DEVICE_TYPE_IGPU: return "igpu";
        default:                            return "accelerator";
    }
}

}  // namespace

std::vector<std::string> load_backends(const std::string & directory) {
    static std::mutex                 mutex;
    static std::set<std::string>      loaded;
    const std::lock_guard<std::mutex> lock(mutex);

    install_log_router();
    install_abort_guard();
    if (loaded.count(directory) == 0) {
        ggml_backend_load_all_from_path(directory.c_str());
        if (ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU) == nullptr) {
            throw StageError(ErrorCode::internal, "No ggml CPU backend was found in " + directory +
                                                      "; build the addon again with `npm run build:native`.");
        }
        if (loaded.empty()) llama_backend_init();
        loaded.insert(directory);
    }
    std::vector<std::string> names;
    for (size_t index = 0; index < ggml_backend_reg_count(); ++index) {
        names.emplace_back(ggml_backend_reg_name(ggml_backend_reg_get(index)));
    }
    return names;
}

uint64_t device_memory_free(ggml_backend_dev_t device) {
    if (in_host_memory(device)) return host_memory().available;
    size_t free  = 0;
    size_t total = 0;
    ggml_backend_dev_memory(device, &free, &total);
    return free;
}

std::vector<Device> list_devices() {
    std::vector<Device> devices;
    for (size_t index = 0; index < ggml_backend_dev_count(); ++index) {
        const auto device = ggml_backend_dev_get(index);
        size_t     free   = 0;
        size_t     total  = 0;
        if (in_host_memory(device)) {
            const auto host = host_memory();
            free            = host.available;
            total           = host.total;
        } else {
            ggml_backend_dev_memory(device, &free, &total);
        }
        devices.push_back({ ggml_backend_dev_name(device), ggml_backend_dev_description(device), kind_of(device), free,
                            total });
    }
    return devices;
}

ggml_backend_dev_t find_device(const std::string & name) {
    if (const auto device = ggml_backend_dev_by_name(name.c_str())) return device;
    std::string known;
    for (size_t index = 0; index < ggml_backend_dev_count(); ++index) {
        known += (known.empty() ? "" : ", ") + std::string(ggml_backend_dev_name(ggml_backend_dev_get(index)));
    }
    throw StageError(ErrorCode::invalid_argument,
                     "Expected one of this machine's devices (" + known + "), received \"" + name + "\".");
}

}  // namespace exo
