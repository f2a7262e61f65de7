#include "program.h"

#include <random>

namespace archs {

namespace {

class token_source {
public:
    explicit token_source(int32_t n_vocab) : n_vocab(n_vocab) {}

    llama_token next() {
        return (llama_token) (generator() % (uint32_t) n_vocab);
    }

private:
    std::mt19937 generator{1};
    int32_t      n_vocab;
};

} // namespace

program single_sequence(int32_t n_vocab) {
    token_source tokens(n_vocab);
    program res{"one sequence", LLAMA_FLASH_ATTN_TYPE_DISABLED, 1, {}};
    step prompt;
    llama_pos pos = 0;
    for (; pos < 24; ++pos) {
        prompt.push_back({tokens.next(), pos, 0, true});
    }
    res.steps.push_back(prompt);
    for (int i = 0; i < 8; ++i) {
        res.steps.push_back({{tokens.next(), pos++, 0, true}});
    }
    return res;
}

program several_sequences(int32_t n_vocab) {
    token_source tokens(n_vocab);
    program res{"several sequences", LLAMA_FLASH_ATTN_TYPE_AUTO, 4, {}};
    std::vector<llama_pos> length{9, 5, 12};
    step prompt;
    for (llama_seq_id seq = 0; seq < 3; ++seq) {
        for (llama_pos pos = 0; pos < length[seq]; ++pos) {
            prompt.push_back({tokens.next(), pos, seq, pos % 3 == 0 || pos == length[seq] - 1});
        }
    }
    res.steps.push_back(prompt);
    for (int i = 0; i < 6; ++i) {
        step rows;
        for (llama_seq_id seq = 0; seq < 3; ++seq) {
            if (seq == 0 || (i + seq) % 4 != 3) {
                rows.push_back({tokens.next(), length[seq]++, seq, true});
            }
        }
        res.steps.push_back(rows);
    }
    return res;
}

} // namespace archs
