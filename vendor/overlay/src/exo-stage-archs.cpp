// Which architectures can be cut between two layers, and what crosses the boundary.

#include "exo-stage.h"

#include "llama-hparams.h"
#include "llama-impl.h"

int32_t exo_stage_streams(const llama_hparams & hparams, llm_arch arch, int32_t il) {
    switch (arch) {
        case LLM_ARCH_DEEPSEEK4:
        case LLM_ARCH_HY_V4:
        case LLM_ARCH_QWEN4EXP:
            // hyper-connections: parallel residual streams
            return (int32_t) hparams.dsv4_hc_mult;
        case LLM_ARCH_KIMI_K3:
            {
                // the residual stream, and one bank of it for every block of layers begun
                const int32_t size = (int32_t) hparams.attn_res_block_size;
                return size == 0 ? 1 : 1 + (il + size - 1)/size;
            }
        case LLM_ARCH_TALKIE:
            // the embedding is added again in every layer
            return il < hparams.stage.n_layer ? 2 : 1;
        default:
            return 1;
    }
}

bool exo_stage_reads_tokens(const llama_hparams & hparams, llm_arch arch) {
    const exo_stage & stage = hparams.stage;
    if (arch == LLM_ARCH_DEEPSEEK4) {
        return stage.begin < stage.end && stage.begin < (int32_t) hparams.dsv4_hash_layer_count;
    }
    for (int32_t il = stage.begin; il < stage.end; ++il) {
        if (hparams.is_ple(il)) {
            return true;
        }
    }
    return false;
}

// Some layers attend to what an indexer in an earlier layer has selected.
static std::string shared_indexer(const llama_hparams & hparams, llm_arch arch) {
    const exo_stage & stage = hparams.stage;
    const bool shares = arch == LLM_ARCH_GLM_DSA || (arch == LLM_ARCH_HY_V4 && hparams.indexer_top_k > 0);
    if (!shares || stage.begin == stage.end || hparams.is_indexer_full(stage.begin)) {
        return {};
    }
    std::string possible;
    for (int32_t il = 1; il < stage.n_layer; ++il) {
        if (hparams.is_indexer_full(il)) {
            possible += (possible.empty() ? "" : ", ") + std::to_string(il);
        }
    }
    return format("layer %d attends to what an earlier layer has selected; %s", stage.begin, possible.empty()
        ? "no other layer of this model selects anew" : ("it can be cut before layer " + possible).c_str());
}

// Each layer looks up an embedding of the tokens of its own, computed beside the token embedding.
static std::string per_layer_embedding(const llama_hparams & hparams, llm_arch arch) {
    if (arch == LLM_ARCH_GEMMA4 && hparams.n_embd_per_layer > 0) {
        return "every layer uses an embedding of its own (as in the E2B and E4B models; larger ones can be cut)";
    }
    return {};
}

// Later layers attend to the keys and values of two earlier ones.
static std::string shared_kv(const llama_hparams & hparams) {
    const exo_stage & stage = hparams.stage;
    const int32_t n_own = hparams.n_layer_kv_from_start;
    if (n_own < 0 || n_own >= stage.n_layer || stage.begin == stage.end || stage.end <= n_own || stage.begin <= n_own - 2) {
        return {};
    }
    return format("layers from %d on attend to keys and values of layers %d and %d; it can be cut up to layer %d",
        n_own, n_own - 2, n_own - 1, n_own - 2);
}

static std::string unsplittable(llm_arch arch) {
    switch (arch) {
        case LLM_ARCH_HRM_TEXT:
            return "its stacks of layers run several times over the same weights";
        case LLM_ARCH_T5:
            return "its decoder reads the encoder's states in every layer";
        case LLM_ARCH_RWKV7: case LLM_ARCH_ARWKV7:
            return "every layer uses values of the first";
        case LLM_ARCH_GEMMA3N:
            return "every layer uses an embedding of its own";
        case LLM_ARCH_GRANITE_SWITCH:
            return "every layer uses the choice of a router layer";
        case LLM_ARCH_EAGLE3: case LLM_ARCH_DFLASH: case LLM_ARCH_GEMMA4_ASSISTANT:
            return "it is a draft model that reads another model's states";
        // Shown to equal the whole by `npm run test:archs`, in docs/architectures.md: those of llama.cpp's test and four more.
        case LLM_ARCH_APERTUS: case LLM_ARCH_GEMMA4: case LLM_ARCH_RWKV6: case LLM_ARCH_STEP35:
        case LLM_ARCH_AFMOE: case LLM_ARCH_ARCEE: case LLM_ARCH_ARCTIC: case LLM_ARCH_BAICHUAN:
        case LLM_ARCH_BAILINGMOE: case LLM_ARCH_BAILINGMOE2: case LLM_ARCH_BAILINGMOE3: case LLM_ARCH_BLOOM:
        case LLM_ARCH_CHATGLM: case LLM_ARCH_CODESHELL: case LLM_ARCH_COGVLM: case LLM_ARCH_COHERE2:
        case LLM_ARCH_COHERE2MOE: case LLM_ARCH_COMMAND_R: case LLM_ARCH_DBRX: case LLM_ARCH_DECI:
        case LLM_ARCH_DEEPSEEK: case LLM_ARCH_DEEPSEEK2: case LLM_ARCH_DEEPSEEK32: case LLM_ARCH_DEEPSEEK4:
        case LLM_ARCH_DOTS1: case LLM_ARCH_DOTS3NOTE: case LLM_ARCH_DREAM: case LLM_ARCH_ERNIE4_5:
        case LLM_ARCH_ERNIE4_5_MOE: case LLM_ARCH_EXAONE: case LLM_ARCH_EXAONE4: case LLM_ARCH_EXAONE_MOE:
        case LLM_ARCH_FALCON: case LLM_ARCH_FALCON_H1: case LLM_ARCH_GEMMA: case LLM_ARCH_GEMMA2:
        case LLM_ARCH_GEMMA3: case LLM_ARCH_GLM4: case LLM_ARCH_GLM4_MOE: case LLM_ARCH_GLM_DSA: case LLM_ARCH_GPT2:
        case LLM_ARCH_GPTNEOX: case LLM_ARCH_GRANITE: case LLM_ARCH_GRANITE_HYBRID: case LLM_ARCH_GRANITE_MOE:
        case LLM_ARCH_GRANITE_SWA: case LLM_ARCH_GROK: case LLM_ARCH_GROVEMOE: case LLM_ARCH_HUNYUAN_DENSE:
        case LLM_ARCH_HUNYUAN_MOE: case LLM_ARCH_HUNYUAN_VL: case LLM_ARCH_HY_V3: case LLM_ARCH_HY_V4:
        case LLM_ARCH_INTERNLM2: case LLM_ARCH_JAIS: case LLM_ARCH_JAIS2: case LLM_ARCH_JAMBA: case LLM_ARCH_KIMI_K3:
        case LLM_ARCH_KIMI_LINEAR: case LLM_ARCH_LAGUNA: case LLM_ARCH_LFM2: case LLM_ARCH_LFM2MOE:
        case LLM_ARCH_LLADA: case LLM_ARCH_LLADA_MOE: case LLM_ARCH_LLAMA: case LLM_ARCH_LLAMA4:
        case LLM_ARCH_MAINCODER: case LLM_ARCH_MAMBA: case LLM_ARCH_MAMBA2: case LLM_ARCH_MAPLE: case LLM_ARCH_MELLUM:
        case LLM_ARCH_MIMO2: case LLM_ARCH_MINICPM: case LLM_ARCH_MINICPM3: case LLM_ARCH_MINIMAX_01:
        case LLM_ARCH_MINIMAX_M2: case LLM_ARCH_MINIMAX_M3: case LLM_ARCH_MISTRAL3: case LLM_ARCH_MISTRAL4:
        case LLM_ARCH_MPT: case LLM_ARCH_MUSE_GLIMMER: case LLM_ARCH_NANBEIGE: case LLM_ARCH_NEMOTRON:
        case LLM_ARCH_NEMOTRON_H: case LLM_ARCH_NEMOTRON_H_MOE: case LLM_ARCH_OLMO: case LLM_ARCH_OLMO2:
        case LLM_ARCH_OLMOE: case LLM_ARCH_OPENAI_MOE: case LLM_ARCH_OPENELM: case LLM_ARCH_ORION:
        case LLM_ARCH_PADDLEOCR: case LLM_ARCH_PANGU_EMBED: case LLM_ARCH_PHI2: case LLM_ARCH_PHI3:
        case LLM_ARCH_PHIMOE: case LLM_ARCH_PLAMO: case LLM_ARCH_PLAMO2: case LLM_ARCH_PLAMO3:
        case LLM_ARCH_POCKETTTS: case LLM_ARCH_QWEN: case LLM_ARCH_QWEN2: case LLM_ARCH_QWEN2MOE:
        case LLM_ARCH_QWEN2VL: case LLM_ARCH_QWEN3: case LLM_ARCH_QWEN35: case LLM_ARCH_QWEN35MOE:
        case LLM_ARCH_QWEN3MOE: case LLM_ARCH_QWEN3NEXT: case LLM_ARCH_QWEN3TTS: case LLM_ARCH_QWEN3VL:
        case LLM_ARCH_QWEN3VLMOE: case LLM_ARCH_QWEN4EXP: case LLM_ARCH_REFACT: case LLM_ARCH_RND1:
        case LLM_ARCH_SEED_OSS: case LLM_ARCH_SMALLTHINKER: case LLM_ARCH_SMOLLM3: case LLM_ARCH_SPARK2_5:
        case LLM_ARCH_STABLELM: case LLM_ARCH_STARCODER: case LLM_ARCH_STARCODER2: case LLM_ARCH_TALKIE:
        case LLM_ARCH_XVERSE:
        // Made for embeddings; shown by test/native/embeddings.test.ts.
        case LLM_ARCH_BERT: case LLM_ARCH_EUROBERT: case LLM_ARCH_GEMMA_EMBEDDING: case LLM_ARCH_JINA_BERT_V2:
        case LLM_ARCH_JINA_BERT_V3: case LLM_ARCH_LLAMA_EMBED: case LLM_ARCH_MODERN_BERT: case LLM_ARCH_NEO_BERT:
        case LLM_ARCH_NOMIC_BERT: case LLM_ARCH_NOMIC_BERT_MOE:
            return {};
        default:
            return "its parts have not been shown to equal the whole";
    }
}

std::string exo_stage_refusal(const llama_hparams & hparams, llm_arch arch, uint32_t n_block) {
    std::string reason = unsplittable(arch);
    if (reason.empty() && hparams.n_layer_all > n_block) {
        reason = "it runs its layers several times over the same weights";
    }
    if (reason.empty()) {
        reason = shared_indexer(hparams, arch);
    }
    if (reason.empty()) {
        reason = per_layer_embedding(hparams, arch);
    }
    if (reason.empty()) {
        reason = shared_kv(hparams);
    }
    return reason;
}
