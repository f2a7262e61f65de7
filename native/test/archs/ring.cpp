#include "ring.h"

#include <cstring>

namespace archs {

namespace {

std::string logged;
bool        logged_reason = false;

void keep_errors(ggml_log_level level, const char * text, void *) {
    if (level != GGML_LOG_LEVEL_ERROR || logged_reason) {
        return;
    }
    logged        = text;
    logged_reason = strncmp(text, "exo: ", 5) == 0;
    while (!logged.empty() && logged.back() == '\n') {
        logged.pop_back();
    }
}

// Batch memory of one call; llama_batch borrows it.
struct batch_buffers {
    std::vector<llama_token>    token;
    std::vector<llama_pos>      pos;
    std::vector<int32_t>        n_seq_id;
    std::vector<llama_seq_id>   seq;
    std::vector<llama_seq_id *> seq_id;
    std::vector<int8_t>         logits;

    explicit batch_buffers(const step & rows, bool all_wanted) : seq(rows.size()) {
        for (size_t i = 0; i < rows.size(); ++i) {
            token.push_back(rows[i].token);
            pos.push_back(rows[i].pos);
            n_seq_id.push_back(1);
            seq[i] = rows[i].seq;
            seq_id.push_back(&seq[i]);
            logits.push_back(all_wanted || rows[i].wanted);
        }
        seq_id.push_back(nullptr);
    }

    llama_batch view(float * hidden) {
        return {(int32_t) token.size(), token.data(), hidden, pos.data(), n_seq_id.data(), seq_id.data(), logits.data()};
    }
};

llama_model * load(const std::string & path, const range * part) {
    llama_model_params params = llama_model_default_params();
    params.n_gpu_layers = 0;
    llama_model_kv_override keys[4] = {};
    if (part) {
        const char *  names[]  = {"exo.stage.begin", "exo.stage.end", "exo.stage.output"};
        const int64_t values[] = {part->begin, part->end, part->output};
        for (int i = 0; i < 3; ++i) {
            keys[i].tag = LLAMA_KV_OVERRIDE_TYPE_INT;
            strncpy(keys[i].key, names[i], sizeof(keys[i].key) - 1);
            keys[i].val_i64 = values[i];
        }
        params.kv_overrides = keys;
    }
    return llama_model_load_from_file(path.c_str(), params);
}

} // namespace

void collect_errors() {
    llama_log_set(keep_errors, nullptr);
}

ring::ring(const std::string & path, const division & parts, const program & settings) : all_to_head(parts.all_to_head) {
    if (parts.ranges.empty()) {
        add(path, nullptr, settings);
    }
    for (const range & part : parts.ranges) {
        add(path, &part, settings);
    }
}

ring::~ring() {
    for (const stage & s : stages) {
        llama_free(s.context);
        llama_model_free(s.model);
    }
}

void ring::add(const std::string & path, const range * part, const program & settings) {
    stages.push_back({});
    stage & s = stages.back();
    logged_reason = false;
    s.part  = part ? *part : range{0, 0, true};
    s.model = load(path, part);
    if (!s.model) {
        throw refused(logged);
    }
    llama_context_params params = llama_context_default_params();
    params.n_ctx           = N_CTX*settings.n_seq;
    params.n_batch         = N_BATCH;
    params.n_ubatch        = N_UBATCH;
    params.n_seq_max       = settings.n_seq;
    params.n_threads       = 1;
    params.n_threads_batch = 1;
    params.flash_attn_type = settings.flash_attention;
    params.pooling_type    = LLAMA_POOLING_TYPE_NONE;
    params.embeddings      = !s.part.output;
    s.context = llama_init_from_model(s.model, params);
    if (s.context && !llama_get_memory(s.context)) {
        // A model without cache looks at the batch as a whole.
        llama_free(s.context);
        params.n_ubatch = N_BATCH;
        s.context = llama_init_from_model(s.model, params);
    }
    if (!s.context) {
        throw refused(logged);
    }
}

std::vector<float> ring::decode(const step & rows) {
    step               current = rows;
    std::vector<float> hidden;
    for (size_t i = 0; i + 1 < stages.size(); ++i) {
        hidden = run(stages[i], current, hidden);
        if (stages[i + 1].part.begin == stages[i + 1].part.end && !all_to_head) {
            step wanted;
            for (const row & r : current) {
                if (r.wanted) {
                    wanted.push_back(r);
                }
            }
            current = wanted;
        }
    }
    return run(stages.back(), current, hidden);
}

std::vector<float> ring::decode_all(const step & rows) {
    step all = rows;
    for (row & r : all) {
        r.wanted = true;
    }
    const std::vector<float> logits = run(stages.back(), all, {});
    std::vector<float> res;
    for (size_t i = 0; i < rows.size(); ++i) {
        if (rows[i].wanted) {
            res.insert(res.end(), logits.begin() + i*n_vocab(), logits.begin() + (i + 1)*n_vocab());
        }
    }
    return res;
}

std::vector<float> ring::run(const stage & s, const step & rows, const std::vector<float> & hidden) const {
    const bool is_last    = &s == &stages.back();
    const bool goes_back  = !all_to_head && !is_last && stages.back().part.begin == stages.back().part.end && &s == &stages.back() - 1;
    const bool all_wanted = !is_last && !goes_back;

    batch_buffers buffers(rows, all_wanted);
    llama_batch   batch = buffers.view(hidden.empty() ? nullptr : const_cast<float *>(hidden.data()));

    const int rc = llama_decode(s.context, batch);
    if (rc != 0) {
        throw std::runtime_error("llama_decode returned " + std::to_string(rc) + ": " + logged);
    }
    const size_t width = is_last ? n_vocab() : llama_model_n_embd_out(s.model);
    std::vector<float> res;
    for (size_t i = 0; i < rows.size(); ++i) {
        if (!buffers.logits[i]) {
            continue;
        }
        const float * row = is_last ? llama_get_logits_ith(s.context, (int32_t) i) : llama_get_embeddings_ith(s.context, (int32_t) i);
        if (!row) {
            throw std::runtime_error("the stage gave no result");
        }
        res.insert(res.end(), row, row + width);
    }
    return res;
}

int32_t ring::n_layer() const {
    return llama_model_n_layer(stages.front().model);
}

int32_t ring::n_vocab() const {
    return llama_vocab_n_tokens(llama_model_get_vocab(stages.front().model));
}

uint64_t ring::size() const {
    uint64_t sum = 0;
    for (const stage & s : stages) {
        sum += llama_model_size(s.model);
    }
    return sum;
}

} // namespace archs
