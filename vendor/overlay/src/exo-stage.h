#pragma once

// A stage: the half-open layer range [begin, end) of a model that this process computes, with or without the token
// embedding before it and the output head after it. Set through llama_model_params::kv_overrides:
//
//   exo.stage.begin   int, default 0
//   exo.stage.end     int, default the number of layers
//   exo.stage.output  int 0 or 1, default 1 when end is the number of layers
//
// A stage without embedding takes hidden states in llama_batch::embd, llama_model_n_embd_inp() floats per row, and token
// ids in llama_batch::token; only few architectures look at those. A stage without output head gives hidden states by
// llama_get_embeddings(), llama_model_n_embd_out() floats per row, for the rows flagged in llama_batch::logits. A stage
// that is the output head alone takes rows of any sequence at any position, in any order.

#include "llama.h"

#include "llama-arch.h"

#include <cstdint>
#include <string>
#include <vector>

struct llama_hparams;
struct llama_memory_i;

// Lives in llama_hparams, so it must be trivially copyable.
struct exo_stage {
    bool    given   = false; // one of the keys was there
    bool    input   = true;  // token embedding here
    bool    output  = true;  // final norm and lm_head here
    bool    tokens  = false; // layers here look at token ids
    int32_t begin   = 0;
    int32_t end     = 0;
    int32_t n_layer = 0;

    // Hidden states come in or go out, or layers are left out.
    bool partial() const {
        return given && !(begin == 0 && end == n_layer && output);
    }

    bool holds(int64_t il) const {
        return !partial() || (il >= begin && il < end);
    }

    // Zero layers: hidden states of the last layer in, logits out. Keeps no state between calls.
    bool head_only() const {
        return given && begin == end;
    }

    // Layers that can be offloaded, the output head counted as one as llama.cpp does.
    int32_t n_offloadable() const {
        return end - begin + (output ? 1 : 0);
    }
};

// Reads the keys into hparams.stage, checks them against the model and adapts the widths of what crosses the boundary.
// `n_block` is the number of layers in the file. Throws, and logs a line that starts with "exo: ", when the stage cannot
// be run.
void exo_stage_load(llama_hparams & hparams, llm_arch arch, uint32_t n_block, const llama_model_kv_override * overrides);

// Why this architecture, or this cut of it, cannot be run as a stage; empty when it can.
std::string exo_stage_refusal(const llama_hparams & hparams, llm_arch arch, uint32_t n_block);

// Hidden states per row that cross the boundary before layer `il`, each of n_embd floats.
int32_t exo_stage_streams(const llama_hparams & hparams, llm_arch arch, int32_t il);

// Do layers of this stage look at token ids?
bool exo_stage_reads_tokens(const llama_hparams & hparams, llm_arch arch);

// Logs "exo: message" and throws it.
[[noreturn]] void exo_refuse(const std::string & message);

// What llama_decode() computes for a stage: the batch given, completed where the stage needs it. `ok` is false when the
// batch cannot be decoded by this stage; the reason is logged.
struct exo_stage_batch {
private:
    // what `batch` points to; before `ok`, whose making fills them
    std::vector<llama_token>    token;
    std::vector<llama_pos>      pos;
    std::vector<int32_t>        n_seq_id;
    std::vector<llama_seq_id *> seq_id;
    llama_seq_id                seq_zero = 0;

public:
    llama_batch batch;
    bool        ok;

    exo_stage_batch(const llama_hparams & hparams, const llama_batch & given, uint32_t n_batch, llama_memory_i * memory);

    exo_stage_batch(const exo_stage_batch &) = delete;

private:
    bool complete(const exo_stage & stage, uint32_t n_batch);
    void detach_rows();
};

// While it lives, a failed GGML_ASSERT or GGML_ABORT on this thread throws std::runtime_error instead of ending the
// process: a damaged model file or a bad batch is then an error like any other.
class exo_abort_guard {
public:
    exo_abort_guard();
    ~exo_abort_guard();

    exo_abort_guard(const exo_abort_guard &) = delete;
};
