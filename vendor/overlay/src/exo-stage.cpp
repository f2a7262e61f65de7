#include "exo-stage.h"

#include "llama-arch.h"
#include "llama-hparams.h"
#include "llama-impl.h"
#include "llama-memory.h"

#include "ggml.h"

#include <cstring>
#include <mutex>
#include <optional>
#include <stdexcept>

void exo_refuse(const std::string & message) {
    LLAMA_LOG_ERROR("exo: %s\n", message.c_str());
    throw std::runtime_error("exo: " + message);
}

static std::optional<int64_t> stage_key(const llama_model_kv_override * overrides, const char * key) {
    for (const auto * o = overrides; o != nullptr && o->key[0] != 0; ++o) {
        if (strncmp(o->key, key, sizeof(o->key)) != 0) {
            continue;
        }
        if (o->tag != LLAMA_KV_OVERRIDE_TYPE_INT) {
            exo_refuse(format("%s must be an integer", key));
        }
        return o->val_i64;
    }
    return std::nullopt;
}

static void check_range(int64_t begin, int64_t end, int64_t output, int64_t n_layer) {
    if (begin < 0 || begin > end || end > n_layer) {
        exo_refuse(format("the layer range [%lld, %lld) is not inside the model's [0, %lld)",
            (long long) begin, (long long) end, (long long) n_layer));
    }
    if (output != 0 && output != 1) {
        exo_refuse(format("exo.stage.output must be 0 or 1, not %lld", (long long) output));
    }
    if (begin == end && output == 0) {
        exo_refuse(format("a stage of no layers [%lld, %lld) must hold the output head", (long long) begin, (long long) end));
    }
    if (begin < end && end < n_layer && output == 1) {
        exo_refuse(format("a stage that ends at layer %lld of %lld cannot hold the output head, which needs the last layer",
            (long long) end, (long long) n_layer));
    }
}

void exo_stage_load(llama_hparams & hparams, llm_arch arch, uint32_t n_block, const llama_model_kv_override * overrides) {
    const int64_t n_layer = hparams.n_layer();

    const auto begin  = stage_key(overrides, "exo.stage.begin");
    const auto end    = stage_key(overrides, "exo.stage.end");
    const auto output = stage_key(overrides, "exo.stage.output");

    exo_stage & stage = hparams.stage;

    const int64_t first = begin .value_or(0);
    const int64_t last  = end   .value_or(n_layer);
    const int64_t head  = output.value_or(last == n_layer ? 1 : 0);
    check_range(first, last, head, n_layer);

    stage.given   = begin || end || output;
    stage.begin   = (int32_t) first;
    stage.end     = (int32_t) last;
    stage.n_layer = (int32_t) n_layer;
    stage.output  = head == 1;
    stage.input   = first == 0 && last > 0;

    if (!stage.partial()) {
        return;
    }

    const std::string reason = exo_stage_refusal(hparams, arch, n_block);
    if (!reason.empty()) {
        exo_refuse(format("the architecture %s cannot be split at [%d, %d): %s",
            llm_arch_name(arch), stage.begin, stage.end, reason.c_str()));
    }

    // Images enter with the embedding as extra columns; only text crosses a ring.
    hparams.n_deepstack_layers = 0;
    hparams.deepstack_mapping_arr.fill(-1);

    if (!stage.input) {
        hparams.n_embd_inp_impl = hparams.n_embd*exo_stage_streams(hparams, arch, stage.begin);
        stage.tokens = exo_stage_reads_tokens(hparams, arch);
    }
    if (!stage.output) {
        hparams.n_embd_out_impl = hparams.n_embd*exo_stage_streams(hparams, arch, stage.end);
    }
}

exo_stage_batch::exo_stage_batch(
        const llama_hparams & hparams, const llama_batch & given, uint32_t n_batch, llama_memory_i * memory) :
        batch(given), ok(!hparams.stage.given || complete(hparams.stage, n_batch)) {
    if (ok && hparams.stage.head_only()) {
        if (memory) {
            memory->clear(false);
        }
        detach_rows();
    }
}

bool exo_stage_batch::complete(const exo_stage & stage, uint32_t n_batch) {
    if (batch.n_tokens <= 0 || (uint32_t) batch.n_tokens > n_batch) {
        LLAMA_LOG_ERROR("exo: a batch of %d rows does not fit this stage's 1 to %u rows\n", batch.n_tokens, n_batch);
        return false;
    }
    if (stage.input && !batch.token && !batch.embd) {
        LLAMA_LOG_ERROR("exo: the stage [%d, %d) takes tokens, but the batch has none\n", stage.begin, stage.end);
        return false;
    }
    if (!stage.input && !batch.embd) {
        LLAMA_LOG_ERROR("exo: the stage [%d, %d) takes hidden states, but the batch has none\n", stage.begin, stage.end);
        return false;
    }
    if (stage.tokens && !batch.token) {
        LLAMA_LOG_ERROR("exo: layers of the stage [%d, %d) look at token ids, but the batch has none\n", stage.begin, stage.end);
        return false;
    }
    if (!stage.input && !batch.token) {
        // Graphs tell text from images by the presence of tokens.
        token.assign(batch.n_tokens, 0);
        batch.token = token.data();
    }
    return true;
}

// Rows of any sequence at any position, in any order: the output head looks at each row by itself.
void exo_stage_batch::detach_rows() {
    pos     .resize(batch.n_tokens);
    n_seq_id.assign(batch.n_tokens, 1);
    seq_id  .assign(batch.n_tokens + 1, &seq_zero);
    seq_id.back() = nullptr;
    for (int32_t i = 0; i < batch.n_tokens; ++i) {
        pos[i] = i;
    }
    batch.pos      = pos.data();
    batch.n_seq_id = n_seq_id.data();
    batch.seq_id   = seq_id.data();
}

//
// exo_abort_guard
//

static thread_local int      guard_depth   = 0;
static ggml_abort_callback_t guard_outer   = nullptr;

static void guard_callback(const char * message) {
    if (guard_depth > 0) {
        throw std::runtime_error(message);
    }
    if (guard_outer) {
        guard_outer(message);
    } else {
        fprintf(stderr, "%s\n", message);
    }
}

exo_abort_guard::exo_abort_guard() {
    static std::once_flag installed;
    std::call_once(installed, [] { guard_outer = ggml_set_abort_callback(guard_callback); });
    ++guard_depth;
}

exo_abort_guard::~exo_abort_guard() {
    --guard_depth;
}
