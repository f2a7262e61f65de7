#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "../napi_setup.h"

namespace exo {

// Reads a native struct out of a JavaScript object. Nothing is optional: a field that is missing or of another type
// throws a StageError naming its full path, e.g. "Expected an integer for params.layer_begin, received undefined."
class Fields {
  public:
    // `value` must be an object; `path` is how the caller spells it, e.g. "params".
    Fields(const Napi::Value & value, std::string path);

    bool        boolean(const char * name) const;
    int32_t     int32(const char * name) const;
    uint32_t    uint32(const char * name) const;
    float       number(const char * name) const;
    std::string text(const char * name) const;
    // "" for null
    std::string text_or_null(const char * name) const;

    std::vector<std::string> texts(const char * name) const;
    std::vector<int32_t>     int32_array(const char * name) const;
    std::vector<float>       float_array(const char * name) const;
    Napi::Uint8Array         bytes(const char * name) const;
    Napi::Int32Array         int32s(const char * name) const;
    bool                     is_null(const char * name) const;
    Napi::Value              value(const char * name) const;
    Napi::Array              array(const char * name) const;
    std::string              path_of(const char * name) const { return path_ + "." + name; }

  private:
    double integer(const char * name, double least, double most, const char * expected) const;

    Napi::Object object_;
    std::string  path_;
};

// Arguments by position, refused by the name they have in bindings.ts.
std::string      text_argument(const Napi::CallbackInfo & info, size_t index, const char * name);
bool             boolean_argument(const Napi::CallbackInfo & info, size_t index, const char * name);
Napi::Int32Array int32s_argument(const Napi::CallbackInfo & info, size_t index, const char * name);
Napi::Function   function_argument(const Napi::CallbackInfo & info, size_t index, const char * name);

// Throws `invalid_argument`: "Expected {expected} for {path}, received {what}."
[[noreturn]] void refuse_value(const std::string & path, const char * expected, const Napi::Value & value);

}  // namespace exo
