#include "activation_codec.h"

#include <cstring>
#include <vector>

#include "error.h"
#include "ggml.h"
#include "text.h"

namespace exo {
namespace {

ggml_type ggml_type_of(ActivationType type) {
    switch (type) {
        case ActivationType::f16:  return GGML_TYPE_F16;
        case ActivationType::q8_0: return GGML_TYPE_Q8_0;
        case ActivationType::f32:  break;
    }
    return GGML_TYPE_F32;
}

}  // namespace

ActivationType activation_type_from_name(const std::string & name) {
    if (name == "f32") return ActivationType::f32;
    if (name == "f16") return ActivationType::f16;
    if (name == "q8_0") return ActivationType::q8_0;
    throw StageError(ErrorCode::invalid_argument,
                     "Expected f32, f16 or q8_0 as activation type, received \"" + name + "\".");
}

size_t activation_row_bytes(ActivationType type, size_t row_elements) {
    const auto   ggml  = ggml_type_of(type);
    const size_t block = static_cast<size_t>(ggml_blck_size(ggml));
    if (row_elements % block != 0) {
        throw StageError(ErrorCode::unsupported,
                         format("Hidden states of %zu numbers cannot travel as q8_0, which takes blocks of %zu; use "
                                "f32 or f16.",
                                row_elements, block));
    }
    return ggml_row_size(ggml, static_cast<int64_t>(row_elements));
}

void decode_activations(ActivationType type, const uint8_t * source, size_t rows, size_t row_elements, float * target) {
    const size_t bytes = activation_row_bytes(type, row_elements) * rows;
    if (type == ActivationType::f32) {
        std::memcpy(target, source, bytes);
        return;
    }
    // ggml reads f16 and q8_0 blocks by 2 bytes; a frame may put them anywhere
    std::vector<uint8_t> aligned;
    if (reinterpret_cast<uintptr_t>(source) % alignof(ggml_fp16_t) != 0) {
        aligned.assign(source, source + bytes);
        source = aligned.data();
    }
    ggml_get_type_traits(ggml_type_of(type))->to_float(source, target, static_cast<int64_t>(rows * row_elements));
}

void encode_activations(ActivationType type, const float * source, size_t rows, size_t row_elements, uint8_t * target) {
    if (type == ActivationType::f32) {
        std::memcpy(target, source, activation_row_bytes(type, row_elements) * rows);
        return;
    }
    ggml_get_type_traits(ggml_type_of(type))->from_float_ref(source, target, static_cast<int64_t>(rows * row_elements));
}

}  // namespace exo
