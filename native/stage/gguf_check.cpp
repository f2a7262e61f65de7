#include "gguf_check.h"

#include <filesystem>
#include <memory>
#include <vector>

#include "error.h"
#include "gguf.h"
#include "llama.h"
#include "log_router.h"
#include "text.h"

namespace exo {
namespace {

struct GgufDeleter {
    void operator()(gguf_context * gguf) const { gguf_free(gguf); }
};
using GgufPointer = std::unique_ptr<gguf_context, GgufDeleter>;

[[noreturn]] void refuse(const std::string & sentence) {
    throw StageError(ErrorCode::invalid_model, sentence);
}

uint64_t file_size(const std::string & path) {
    std::error_code error;
    const auto      status = std::filesystem::status(std::filesystem::u8path(path), error);
    if (!std::filesystem::exists(status)) refuse("There is no model file at " + path + ".");
    if (!std::filesystem::is_regular_file(status)) refuse(path + " is not a file.");
    const auto size = std::filesystem::file_size(std::filesystem::u8path(path), error);
    if (error) refuse("The model file " + path + " cannot be read: " + error.message() + ".");
    return size;
}

GgufPointer open_gguf(const std::string & path) {
    const LogCapture log;
    GgufPointer      gguf(gguf_init_from_file(path.c_str(), { /*no_alloc=*/true, /*ctx=*/nullptr }));
    if (gguf) return gguf;
    const auto reason = log.reason();
    refuse("The model file " + path + " is not a GGUF file, or is damaged" +
           (reason.empty() ? "." : ": " + reason + "."));
}

void check_tensor_bounds(const gguf_context * gguf, const std::string & path, uint64_t size) {
    const uint64_t data = gguf_get_data_offset(gguf);
    for (int64_t id = 0; id < gguf_get_n_tensors(gguf); ++id) {
        const uint64_t begin  = data + gguf_get_tensor_offset(gguf, id);
        const uint64_t length = gguf_get_tensor_size(gguf, id);
        if (begin <= size && length <= size - begin) continue;
        refuse(format("The model file %s is cut short: tensor %s needs bytes %llu to %llu, but the file has %llu. "
                      "Download it again.",
                      path.c_str(), gguf_get_tensor_name(gguf, id), static_cast<unsigned long long>(begin),
                      static_cast<unsigned long long>(begin + length), static_cast<unsigned long long>(size)));
    }
}

// A whole number of any of GGUF's types; `otherwise` when the key is absent or of another kind.
int64_t integer_at(const gguf_context * gguf, const std::string & key, int64_t otherwise) {
    const int64_t id = gguf_find_key(gguf, key.c_str());
    if (id < 0) return otherwise;
    switch (gguf_get_kv_type(gguf, id)) {
        case GGUF_TYPE_UINT8:  return gguf_get_val_u8(gguf, id);
        case GGUF_TYPE_INT8:   return gguf_get_val_i8(gguf, id);
        case GGUF_TYPE_UINT16: return gguf_get_val_u16(gguf, id);
        case GGUF_TYPE_INT16:  return gguf_get_val_i16(gguf, id);
        case GGUF_TYPE_UINT32: return gguf_get_val_u32(gguf, id);
        case GGUF_TYPE_INT32:  return gguf_get_val_i32(gguf, id);
        case GGUF_TYPE_UINT64: return static_cast<int64_t>(gguf_get_val_u64(gguf, id));
        case GGUF_TYPE_INT64:  return gguf_get_val_i64(gguf, id);
        default:               return otherwise;
    }
}

std::string architecture_of(const gguf_context * gguf, const std::string & path) {
    const int64_t id = gguf_find_key(gguf, "general.architecture");
    if (id < 0 || gguf_get_kv_type(gguf, id) != GGUF_TYPE_STRING) {
        refuse("The model file " + path + " does not name its architecture (general.architecture).");
    }
    return gguf_get_val_str(gguf, id);
}

void check_further_parts(const std::string & first, int32_t count) {
    std::vector<char> prefix(first.size() + 1);
    if (llama_split_prefix(prefix.data(), prefix.size(), first.c_str(), 0, count) <= 0) {
        refuse(format("%s is one of %d parts, but is not named like the first one (…-00001-of-%05d.gguf).",
                      first.c_str(), count, count));
    }
    for (int32_t part = 1; part < count; ++part) {
        std::vector<char> path(first.size() + 32);
        llama_split_path(path.data(), path.size(), prefix.data(), part, count);
        const auto size = file_size(path.data());
        const auto gguf = open_gguf(path.data());
        check_tensor_bounds(gguf.get(), path.data(), size);
    }
}

}  // namespace

GgufSummary check_gguf(const std::string & path) {
    const auto  size = file_size(path);
    const auto  gguf = open_gguf(path);
    GgufSummary summary;
    summary.architecture = architecture_of(gguf.get(), path);
    check_tensor_bounds(gguf.get(), path, size);

    const auto parts = integer_at(gguf.get(), "split.count", 1);
    if (parts < 0 || parts > 9999) refuse(format("%s says it has %lld parts.", path.c_str(), (long long) parts));
    if (parts > 1) {
        check_further_parts(path, static_cast<int32_t>(parts));
        summary.part_count = static_cast<int32_t>(parts);
    }
    summary.learned_positions = gguf_find_tensor(gguf.get(), "position_embd.weight") >= 0;
    const auto layers     = integer_at(gguf.get(), summary.architecture + ".block_count", -1);
    const auto prediction = integer_at(gguf.get(), summary.architecture + ".nextn_predict_layers", 0);
    if (layers > 0 && prediction >= 0 && prediction < layers) {
        summary.layer_count = static_cast<int32_t>(layers - prediction);
    }
    return summary;
}

}  // namespace exo
