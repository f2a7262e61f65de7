#pragma once

#include "program.h"

#include <stdexcept>
#include <string>
#include <vector>

namespace archs {

// The model, or this cut of it, cannot be loaded; what() is the reason that the library logged.
struct refused : std::runtime_error {
    using std::runtime_error::runtime_error;
};

struct range {
    int32_t begin;
    int32_t end;
    bool    output;
};

// How a model is divided. No ranges: the whole model, without any stage keys.
struct division {
    std::vector<range> ranges;
    // The output head alone is given every row and asked for some, instead of only those.
    bool all_to_head = false;
};

// Stages of one model, run one after the other in this process.
class ring {
public:
    ring(const std::string & path, const division & parts, const program & settings);
    ~ring();

    ring(const ring &) = delete;

    // Logits of the wanted rows, [wanted][n_vocab].
    std::vector<float> decode(const step & rows);

    // The same from the whole model, with the logits of all rows computed.
    std::vector<float> decode_all(const step & rows);

    int32_t n_layer() const;
    int32_t n_vocab() const;

    // Bytes of weights, summed over the stages.
    uint64_t size() const;

private:
    struct stage {
        llama_model *   model   = nullptr;
        llama_context * context = nullptr;
        range           part;
    };

    void add(const std::string & path, const range * part, const program & settings);
    std::vector<float> run(const stage & current, const step & rows, const std::vector<float> & hidden) const;

    std::vector<stage> stages;
    bool               all_to_head;
};

// Keeps llama.cpp's error lines for `refused` instead of printing them.
void collect_errors();

} // namespace archs
