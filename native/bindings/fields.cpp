#include "fields.h"

#include <cmath>

#include "../stage/error.h"
#include "../stage/text.h"

namespace exo {
namespace {

std::string describe(const Napi::Value & value) {
    if (value.IsUndefined()) return "undefined";
    if (value.IsNull()) return "null";
    if (value.IsNumber()) return format("%g", value.As<Napi::Number>().DoubleValue());
    if (value.IsBoolean()) return value.As<Napi::Boolean>().Value() ? "true" : "false";
    if (value.IsString()) return "a text";
    if (value.IsFunction()) return "a function";
    if (value.IsArray()) return "an array";
    if (value.IsTypedArray()) return "another kind of typed array";
    return "an object";
}

bool is_typed_array_of(const Napi::Value & value, napi_typedarray_type type) {
    return value.IsTypedArray() && value.As<Napi::TypedArray>().TypedArrayType() == type;
}

}  // namespace

void refuse_value(const std::string & path, const char * expected, const Napi::Value & value) {
    throw StageError(ErrorCode::invalid_argument,
                     std::string("Expected ") + expected + " for " + path + ", received " + describe(value) + ".");
}

Fields::Fields(const Napi::Value & value, std::string path) : path_(std::move(path)) {
    if (!value.IsObject() || value.IsFunction()) refuse_value(path_, "an object", value);
    object_ = value.As<Napi::Object>();
}

Napi::Value Fields::value(const char * name) const {
    return object_.Get(name);
}

bool Fields::is_null(const char * name) const {
    return value(name).IsNull();
}

bool Fields::boolean(const char * name) const {
    const auto found = value(name);
    if (!found.IsBoolean()) refuse_value(path_of(name), "true or false", found);
    return found.As<Napi::Boolean>().Value();
}

double Fields::integer(const char * name, double least, double most, const char * expected) const {
    const auto   found  = value(name);
    const double number = found.IsNumber() ? found.As<Napi::Number>().DoubleValue() : NAN;
    // false for NaN, too
    if (!(number >= least && number <= most) || std::trunc(number) != number) {
        refuse_value(path_of(name), expected, found);
    }
    return number;
}

int32_t Fields::int32(const char * name) const {
    return static_cast<int32_t>(integer(name, INT32_MIN, INT32_MAX, "a 32-bit integer"));
}

uint32_t Fields::uint32(const char * name) const {
    return static_cast<uint32_t>(integer(name, 0, UINT32_MAX, "an integer from 0 to 4294967295"));
}

float Fields::number(const char * name) const {
    const auto found = value(name);
    if (!found.IsNumber() || std::isnan(found.As<Napi::Number>().DoubleValue())) {
        refuse_value(path_of(name), "a number", found);
    }
    return found.As<Napi::Number>().FloatValue();
}

std::string Fields::text(const char * name) const {
    const auto found = value(name);
    if (!found.IsString()) refuse_value(path_of(name), "a text", found);
    return found.As<Napi::String>().Utf8Value();
}

std::string Fields::text_or_null(const char * name) const {
    const auto found = value(name);
    if (found.IsNull()) return "";
    if (!found.IsString()) refuse_value(path_of(name), "a text or null", found);
    return found.As<Napi::String>().Utf8Value();
}

Napi::Array Fields::array(const char * name) const {
    const auto found = value(name);
    if (!found.IsArray()) refuse_value(path_of(name), "an array", found);
    return found.As<Napi::Array>();
}

std::vector<std::string> Fields::texts(const char * name) const {
    const auto               entries = array(name);
    std::vector<std::string> texts;
    for (uint32_t index = 0; index < entries.Length(); ++index) {
        const Napi::Value entry = entries[index];
        if (!entry.IsString()) refuse_value(path_of(name) + format("[%u]", index), "a text", entry);
        texts.push_back(entry.As<Napi::String>().Utf8Value());
    }
    return texts;
}

Napi::Uint8Array Fields::bytes(const char * name) const {
    const auto found = value(name);
    if (!is_typed_array_of(found, napi_uint8_array)) {
        refuse_value(path_of(name), "a Uint8Array", found);
    }
    return found.As<Napi::Uint8Array>();
}

Napi::Int32Array Fields::int32s(const char * name) const {
    const auto found = value(name);
    if (!is_typed_array_of(found, napi_int32_array)) {
        refuse_value(path_of(name), "an Int32Array", found);
    }
    return found.As<Napi::Int32Array>();
}

std::vector<int32_t> Fields::int32_array(const char * name) const {
    const auto numbers = int32s(name);
    return std::vector<int32_t>(numbers.Data(), numbers.Data() + numbers.ElementLength());
}

std::vector<float> Fields::float_array(const char * name) const {
    const auto found = value(name);
    if (!is_typed_array_of(found, napi_float32_array)) {
        refuse_value(path_of(name), "a Float32Array", found);
    }
    const auto numbers = found.As<Napi::Float32Array>();
    return std::vector<float>(numbers.Data(), numbers.Data() + numbers.ElementLength());
}

std::string text_argument(const Napi::CallbackInfo & info, size_t index, const char * name) {
    if (!info[index].IsString()) refuse_value(name, "a text", info[index]);
    return info[index].As<Napi::String>().Utf8Value();
}

bool boolean_argument(const Napi::CallbackInfo & info, size_t index, const char * name) {
    if (!info[index].IsBoolean()) refuse_value(name, "true or false", info[index]);
    return info[index].As<Napi::Boolean>().Value();
}

Napi::Int32Array int32s_argument(const Napi::CallbackInfo & info, size_t index, const char * name) {
    if (!is_typed_array_of(info[index], napi_int32_array)) {
        refuse_value(name, "an Int32Array", info[index]);
    }
    return info[index].As<Napi::Int32Array>();
}

Napi::Function function_argument(const Napi::CallbackInfo & info, size_t index, const char * name) {
    if (!info[index].IsFunction()) refuse_value(name, "a function", info[index]);
    return info[index].As<Napi::Function>();
}

}  // namespace exo
