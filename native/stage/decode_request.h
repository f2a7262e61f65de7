#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "activation_codec.h"
#include "decode_batch.h"
#include "kv_operation.h"
#include "sampler.h"

namespace exo {

class Stage;

// NativeSampleRequest of src/native/bindings.ts.
struct SampleRequest {
    size_t                   row;
    size_t                   drafted;  // rows after `row` that hold drafted tokens
    std::shared_ptr<Sampler> sampler;
    int32_t                  logprobs;
};

// NativeBatch of src/native/bindings.ts as it comes: bytes that belong to the caller.
struct RawBatch {
    const uint8_t *            rows                = nullptr;
    size_t                     rows_length         = 0;  // bytes
    const int32_t *            kv_operations       = nullptr;
    size_t                     kv_operations_count = 0;  // numbers
    const uint8_t *            activations         = nullptr;
    size_t                     activations_length  = 0;  // bytes
    ActivationType             activation_type     = ActivationType::f32;
    ActivationType             result_type         = ActivationType::f32;
    size_t                     result_head_room    = 0;  // bytes
    bool                       result_outputs_only = false;
    std::vector<SampleRequest> samples;
    bool                       want_logits = false;
    bool                       want_pooled = false;
};

// The same, checked: nothing in it can make the stage fail but its state. `activations` must stay readable until the
// job is done.
struct DecodeRequest {
    std::vector<Row>           rows;
    std::vector<KvOperation>   kv_operations;
    const uint8_t *            activations         = nullptr;
    ActivationType             activation_type     = ActivationType::f32;
    ActivationType             result_type         = ActivationType::f32;
    size_t                     result_head_room    = 0;
    bool                       result_outputs_only = false;
    std::vector<SampleRequest> samples;
    bool                       want_logits = false;
    bool                       want_pooled = false;
};

// Throws `bad_frame` for lengths that do not fit each other, `invalid_argument` or `context_exceeded` for values
// outside the stage, `not_ready` when it is not loaded.
DecodeRequest check_batch(const Stage & stage, RawBatch batch);

}  // namespace exo
