#pragma once

// Architectures that llama.cpp's generator can make but does not write.

#include "gguf.h"
#include "llama.h"

#include "../src/llama-arch.h"

// Cuts of these are compared too.
bool exo_is_extra(llm_arch arch);

// Writes the model with the metadata it was made from, whatever the architecture; llama.cpp's own writer knows only some.
void exo_save_model(const gguf_context * metadata, const llama_model * model, const char * path);
