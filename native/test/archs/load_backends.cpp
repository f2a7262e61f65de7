// llama.cpp's generator expects backends that are linked in; ours are loaded from a directory.

#include "ggml-backend.h"

#include <cstdlib>

static const bool loaded = [] {
    if (const char * directory = std::getenv("EXO_BACKEND_DIR")) {
        ggml_backend_load_all_from_path(directory);
    }
    return true;
}();
