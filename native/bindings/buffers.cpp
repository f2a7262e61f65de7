#include "buffers.h"

#include <cstring>

namespace exo {
namespace {

void give_back(napi_env, void * data, void * size) {
    ActivationPool::shared().give_back(static_cast<uint8_t *>(data), reinterpret_cast<size_t>(size));
}

}  // namespace

Napi::Value to_js_bytes(Napi::Env env, PooledBuffer buffer) {
    const size_t size   = buffer.size();
    napi_value   result = nullptr;
    // V8 counts an external ArrayBuffer's length as external memory by itself, so the collector keeps up without
    // napi_adjust_external_memory, which would count it twice.
    const auto   status = napi_create_external_arraybuffer(env, buffer.data(), size, give_back,
                                                           reinterpret_cast<void *>(size), &result);
    if (status == napi_ok) {
        buffer.release();
        return Napi::Uint8Array::New(env, size, Napi::ArrayBuffer(env, result), 0);
    }
    if (status != napi_no_external_buffers_allowed) throw Napi::Error::New(env);
    auto copy = Napi::Uint8Array::New(env, size);
    std::memcpy(copy.Data(), buffer.data(), size);
    return copy;
}

}  // namespace exo
