// llama.cpp's generator expects backends that are linked in; the prebuilt ones are loaded from beside the executable.

#include "ggml-backend.h"

static const bool loaded = [] {
    ggml_backend_load_all();
    return true;
}();
