#include "exports.h"
#include "fields.h"
#include "handles.h"
#include "stage_params_reader.h"

namespace exo {

// sampler_create(stage: StageHandle, params: NativeSamplerParams): SamplerHandle
Napi::Value sampler_create(const Napi::CallbackInfo & info) {
    const auto stage = stage_of(info[0], "stage");
    return new_sampler_handle(info.Env(), stage->create_sampler(read_sampler_params(info[1])));
}

// sampler_accept(sampler: SamplerHandle, tokens: Int32Array, generated: boolean): void
Napi::Value sampler_accept(const Napi::CallbackInfo & info) {
    const auto sampler = sampler_of(info[0], "sampler");
    const auto numbers = int32s_argument(info, 1, "tokens");
    sampler->accept(std::vector<int32_t>(numbers.Data(), numbers.Data() + numbers.ElementLength()),
                    boolean_argument(info, 2, "generated"));
    return info.Env().Undefined();
}

// sampler_close(sampler: SamplerHandle): void
Napi::Value sampler_close(const Napi::CallbackInfo & info) {
    // a micro-batch that is to sample with it holds it until then
    sampler_holder(info[0], "sampler").sampler.reset();
    return info.Env().Undefined();
}

}  // namespace exo
