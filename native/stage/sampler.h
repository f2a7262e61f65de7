#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "counters.h"
#include "llama.h"

struct common_sampler;
struct llama_sampler;

namespace exo {

// NativeSamplerParams of src/native/bindings.ts.
struct SamplerParams {
    uint32_t             seed        = 0;
    float                temperature = 0;
    int32_t              top_k       = 0;
    float                top_p       = 1;
    float                min_p       = 0;
    float                repeat_penalty    = 1;
    int32_t              repeat_last_n     = 0;
    float                frequency_penalty = 0;
    float                presence_penalty  = 0;
    std::vector<int32_t> logit_bias_tokens;
    std::vector<float>   logit_bias_values;
    bool                 ignore_eos = false;
    std::string          grammar;     // "" for none
    std::string          constraint;  // "" for none
};

// NativeSample of src/native/bindings.ts.
struct Sample {
    std::string          error;  // "" when there is none
    int32_t              token                = 0;
    bool                 is_end_of_generation = false;
    float                logprob              = 0;
    std::vector<int32_t> top_tokens;
    std::vector<float>   top_logprobs;
};

// llama-common's sampler of one sequence. The stage's thread samples while other threads may accept or close, so each
// step holds the lock. What it will choose depends on its parameters, the prompt, and the tokens that were chosen so far,
// on nothing else: another one that accepts the same tokens goes on alike.
class Sampler {
  public:
    // `owner`: the stage it samples for. `context_size`: how far back penalties may look. Throws `invalid_argument`.
    Sampler(const void * owner, const llama_model * model, const SamplerParams & params, int32_t context_size);
    ~Sampler();

    // `generated`: the tokens are an answer's: grammar and random numbers move on as if they had been chosen here.
    void   accept(const std::vector<int32_t> & tokens, bool generated);
    // Chooses for a row of the last decode and accepts the choice. `logprobs`: 0 none, n the chosen and n - 1 best.
    // A grammar that cannot go on gives a Sample with an error.
    Sample sample(llama_context * context, int32_t row, int32_t logprobs);
    // Frees the state, which must happen before the model goes. Idempotent.
    void   close();
    bool   is_closed() const;
    bool   belongs_to(const void * stage) const { return stage == owner_; }

  private:
    int32_t choose(llama_context * context, int32_t row);
    void    accept_one(int32_t token, bool generated);
    // Uses up the random numbers of one token of the answer.
    void    draw();

    struct SamplerDeleter {
        void operator()(common_sampler * sampler) const;
    };
    struct DiceDeleter {
        void operator()(llama_sampler * dice) const;
    };

    Counted<&Counters::samplers>                    counted_;
    const void * const                              owner_;
    mutable std::mutex                              mutex_;
    const llama_vocab *                             vocabulary_;
    bool                                            greedy_ = false;
    std::map<int32_t, float>                        biases_;
    std::unique_ptr<common_sampler, SamplerDeleter> sampler_;
    // With a grammar: where the random numbers of the next token begin. Else the chain's own are always there.
    std::unique_ptr<llama_sampler, DiceDeleter>     dice_;
};

}  // namespace exo
