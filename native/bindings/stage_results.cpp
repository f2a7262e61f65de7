#include "stage_results.h"

#include <algorithm>

#include "buffers.h"

namespace exo {
namespace {

template <typename Number> Napi::Value to_typed_array(Napi::Env env, const std::vector<Number> & numbers) {
    auto array = Napi::TypedArrayOf<Number>::New(env, numbers.size());
    std::copy(numbers.begin(), numbers.end(), array.Data());
    return array;
}

Napi::Object to_js(Napi::Env env, const Sample & sample) {
    auto result = Napi::Object::New(env);
    result.Set("error", sample.error.empty() ? env.Null() : Napi::String::New(env, sample.error).As<Napi::Value>());
    result.Set("token", sample.token);
    result.Set("is_end_of_generation", sample.is_end_of_generation);
    result.Set("logprob", sample.logprob);
    result.Set("top_tokens", to_typed_array(env, sample.top_tokens));
    result.Set("top_logprobs", to_typed_array(env, sample.top_logprobs));
    return result;
}

Napi::Array to_js(Napi::Env env, const std::vector<Sample> & run) {
    auto result = Napi::Array::New(env, run.size());
    for (uint32_t index = 0; index < run.size(); ++index) result.Set(index, to_js(env, run[index]));
    return result;
}

}  // namespace

Napi::Value to_js(Napi::Env env, const StageInfo & info) {
    auto result = Napi::Object::New(env);
    result.Set("architecture", info.architecture);
    result.Set("description", info.description);
    result.Set("layer_count", info.layer_count);
    result.Set("embedding_size", info.embedding_size);
    result.Set("input_size", info.input_size);
    result.Set("output_size", info.output_size);
    result.Set("vocabulary_size", info.vocabulary_size);
    result.Set("context_trained", info.context_trained);
    result.Set("context_size", info.context_size);
    result.Set("parameter_count", static_cast<double>(info.parameter_count));
    result.Set("chat_template", info.chat_template.empty() ?
                                    env.Null() :
                                    Napi::String::New(env, info.chat_template).As<Napi::Value>());
    result.Set("bos_token", info.bos_token);
    result.Set("eos_token", info.eos_token);
    result.Set("add_bos", info.add_bos);
    result.Set("can_shift", info.can_shift);
    result.Set("can_trim", info.can_trim);
    result.Set("pooling", info.pooling);
    result.Set("whole_texts", info.whole_texts);
    result.Set("keeps_cache", info.keeps_cache);
    result.Set("generates", info.generates);
    result.Set("pooled_size", info.pooled_size);
    return result;
}

Napi::Value to_js(Napi::Env env, const StageMemory & memory) {
    DeviceMemory sum;
    auto         devices = Napi::Array::New(env, memory.devices.size());
    for (uint32_t index = 0; index < memory.devices.size(); ++index) {
        const auto & device = memory.devices[index];
        auto         entry  = Napi::Object::New(env);
        entry.Set("name", device.name);
        entry.Set("weights", static_cast<double>(device.weights));
        entry.Set("kv_cache", static_cast<double>(device.kv_cache));
        entry.Set("compute", static_cast<double>(device.compute));
        devices.Set(index, entry);
        sum.weights += device.weights;
        sum.kv_cache += device.kv_cache;
        sum.compute += device.compute;
    }
    auto result = Napi::Object::New(env);
    result.Set("weights", static_cast<double>(sum.weights));
    result.Set("weights_mapped", static_cast<double>(memory.weights_mapped));
    result.Set("kv_cache", static_cast<double>(sum.kv_cache));
    result.Set("compute", static_cast<double>(sum.compute));
    result.Set("output", static_cast<double>(memory.output));
    result.Set("devices", devices);
    auto buffers = Napi::Array::New(env, memory.weight_buffers.size());
    for (uint32_t index = 0; index < memory.weight_buffers.size(); ++index) {
        auto entry = Napi::Object::New(env);
        entry.Set("name", memory.weight_buffers[index].name);
        entry.Set("bytes", static_cast<double>(memory.weight_buffers[index].bytes));
        buffers.Set(index, entry);
    }
    result.Set("weight_buffers", buffers);
    return result;
}

Napi::Value to_js(Napi::Env env, DecodeResult & decoded) {
    auto samples = Napi::Array::New(env, decoded.samples.size());
    for (uint32_t index = 0; index < decoded.samples.size(); ++index) {
        samples.Set(index, to_js(env, decoded.samples[index]));
    }
    auto result = Napi::Object::New(env);
    result.Set("activations", decoded.activations ? to_js_bytes(env, std::move(decoded.activations)) : env.Null());
    result.Set("samples", samples);
    result.Set("logits", decoded.logits.empty() ? env.Null() : to_typed_array(env, decoded.logits));
    result.Set("pooled", decoded.pooled.empty() ? env.Null() : to_typed_array(env, decoded.pooled));
    result.Set("copies", decoded.copies);
    result.Set("compute_microseconds", static_cast<double>(decoded.compute_microseconds));
    result.Set("queue_microseconds", static_cast<double>(decoded.queue_microseconds));
    result.Set("sampling_microseconds", static_cast<double>(decoded.sampling_microseconds));
    return result;
}

}  // namespace exo
