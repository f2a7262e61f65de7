#include "exo-text.h"

#include "llama-model.h"

// Their graphs end with hidden states, without logits.
static bool is_encoder(llm_arch arch) {
    switch (arch) {
        case LLM_ARCH_BERT:
        case LLM_ARCH_MODERN_BERT:
        case LLM_ARCH_NOMIC_BERT:
        case LLM_ARCH_NOMIC_BERT_MOE:
        case LLM_ARCH_NEO_BERT:
        case LLM_ARCH_JINA_BERT_V2:
        case LLM_ARCH_JINA_BERT_V3:
        case LLM_ARCH_EUROBERT:
        case LLM_ARCH_GEMMA_EMBEDDING:
        case LLM_ARCH_LLAMA_EMBED:
        case LLM_ARCH_T5ENCODER:
            return true;
        default:
            return false;
    }
}

exo_text_traits exo_text_traits_of(const llama_model * model) {
    const auto & hparams = model->hparams;

    exo_text_traits res;
    res.pooling = hparams.pooling_type == LLAMA_POOLING_TYPE_UNSPECIFIED ? LLAMA_POOLING_TYPE_NONE : hparams.pooling_type;
    res.encoder = is_encoder(model->arch);
    res.whole   = res.encoder || !hparams.causal_attn;
    return res;
}
