// Which architectures can be cut between two layers, and what crosses the boundary.

#include "exo-stage.h"

#include "llama-hparams.h"
#include "llama-impl.h"

uint32_t exo_stage_width(llm_arch arch, const llama_hparams & hparams) {
    GGML_UNUSED(arch);
    return hparams.n_embd;
}

std::string exo_stage_refusal(llm_arch arch, const llama_hparams & hparams) {
    GGML_UNUSED(arch);
    GGML_UNUSED(hparams);
    return {};
}
