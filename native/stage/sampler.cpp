#include "sampler.h"

#include <common.h>
#include <sampling.h>

#include <algorithm>
#include <cmath>

#include "abort_guard.h"
#include "error.h"
#include "grammar_check.h"
#include "greedy.h"
#include "log_router.h"
#include "logprobs.h"
#include "sampler_constraint.h"
#include "text.h"

namespace exo {
namespace {

[[noreturn]] void refuse(const std::string & sentence) {
    throw StageError(ErrorCode::invalid_argument, sentence);
}

void check_number(const char * name, float value, float least, float most) {
    if (value >= least && value <= most) return;  // false for NaN too
    refuse(format("Expected %s between %g and %g, received %g.", name, least, most, value));
}

void check_params(const SamplerParams & params) {
    check_number("temperature", params.temperature, 0, 100);
    check_number("top_p", params.top_p, 0, 1);
    check_number("min_p", params.min_p, 0, 1);
    check_number("repeat_penalty", params.repeat_penalty, 0.01f, 100);
    check_number("frequency_penalty", params.frequency_penalty, -100, 100);
    check_number("presence_penalty", params.presence_penalty, -100, 100);
    if (params.logit_bias_tokens.size() != params.logit_bias_values.size()) {
        refuse("Expected as many logit bias values as tokens.");
    }
    if (!params.grammar.empty() && !params.constraint.empty()) {
        refuse("Give a grammar or a chat's constraint, not both.");
    }
}

void add_logit_bias(const SamplerParams & params, const llama_vocab * vocabulary, common_params_sampling & common) {
    const int32_t size = llama_vocab_n_tokens(vocabulary);
    for (size_t index = 0; index < params.logit_bias_tokens.size(); ++index) {
        const auto token = params.logit_bias_tokens[index];
        const auto value = params.logit_bias_values[index];
        if (token < 0 || token >= size) {
            refuse(format("The logit bias names token %d, outside the model's vocabulary of %d tokens.", token, size));
        }
        if (std::isnan(value)) refuse(format("The logit bias of token %d is not a number.", token));
        common.logit_bias.push_back({ token, value });
    }
    if (!params.ignore_eos) return;
    for (int32_t token = 0; token < size; ++token) {
        if (llama_vocab_is_eog(vocabulary, token)) common.logit_bias.push_back({ token, -INFINITY });
    }
}

// llama-common leaks what it has built so far when it throws on a grammar, so a bad one is found before.
void check_grammar(const common_params_sampling & common, const llama_vocab * vocabulary) {
    const auto & text = common_grammar_value(common.grammar);
    if (text.empty()) return;
    if (text.compare(0, 11, "%llguidance") == 0) refuse("Grammars in llguidance's language are not in this build.");
    check_grammar_text(text);
    const LogCapture log;
    llama_sampler *  grammar = llama_sampler_init_grammar(vocabulary, text.c_str(), "root");
    if (grammar == nullptr) {
        const auto reason = log.reason();
        refuse("The grammar is not valid GBNF" + (reason.empty() ? "." : ": " + reason + "."));
    }
    llama_sampler_free(grammar);
}

// Nothing but the logits and their biases decides: then llama-common's chain, which makes and sorts a list of the whole
// vocabulary for every token, finds only what is found without it.
bool is_greedy(const SamplerParams & params) {
    return params.temperature == 0 && params.repeat_penalty == 1 && params.frequency_penalty == 0 &&
           params.presence_penalty == 0 && params.grammar.empty() && params.constraint.empty();
}

common_params_sampling to_common(const SamplerParams & params, const llama_vocab * vocabulary, int32_t context_size) {
    common_params_sampling common;
    common.seed            = params.seed;
    common.temp            = params.temperature;
    common.top_k           = params.top_k;
    common.top_p           = params.top_p;
    common.min_p           = params.min_p;
    common.penalty_repeat  = params.repeat_penalty;
    common.penalty_last_n  = params.repeat_last_n < 0 ? context_size : std::min(params.repeat_last_n, context_size);
    common.penalty_freq    = params.frequency_penalty;
    common.penalty_present = params.presence_penalty;
    common.n_prev          = std::max(common.n_prev, common.penalty_last_n);
    common.no_perf         = true;
    add_logit_bias(params, vocabulary, common);
    if (!params.grammar.empty()) common.grammar = { COMMON_GRAMMAR_TYPE_USER, params.grammar };
    if (!params.constraint.empty()) read_constraint(params.constraint, vocabulary, common);
    check_grammar(common, vocabulary);
    return common;
}

// The last of the chain, which draws a random number for every choice, even for one among one.
llama_sampler * dice_of(common_sampler * sampler) {
    llama_sampler * chain = common_sampler_get(sampler);
    return llama_sampler_chain_get(chain, llama_sampler_chain_n(chain) - 1);
}

void roll(llama_sampler * dice) {
    llama_token_data       only{ 0, 0.0f, 0.0f };
    llama_token_data_array choice{ &only, 1, -1, false };
    llama_sampler_apply(dice, &choice);
}

}  // namespace

void Sampler::SamplerDeleter::operator()(common_sampler * sampler) const {
    common_sampler_free(sampler);
}

void Sampler::DiceDeleter::operator()(llama_sampler * dice) const {
    llama_sampler_free(dice);
}

Sampler::Sampler(const void * owner, const llama_model * model, const SamplerParams & params, int32_t context_size) :
    owner_(owner),
    vocabulary_(llama_model_get_vocab(model)) {
    const AbortGuard guard;
    check_params(params);
    auto common = to_common(params, vocabulary_, context_size);
    greedy_     = is_greedy(params);
    for (const auto & entry : common.logit_bias) biases_[entry.token] += entry.bias;
    try {
        sampler_.reset(common_sampler_init(model, common));
    } catch (const std::exception & error) {
        refuse(std::string("These sampling options cannot be used: ") + error.what());
    }
    if (!params.grammar.empty() || !params.constraint.empty()) dice_.reset(llama_sampler_init_dist(params.seed));
}

Sampler::~Sampler() = default;

void Sampler::accept(const std::vector<int32_t> & tokens, bool generated) {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (!sampler_) refuse("The sampler is closed.");
    const AbortGuard guard;
    const int32_t    size = llama_vocab_n_tokens(vocabulary_);
    for (const auto token : tokens) {
        if (token < 0 || token >= size) {
            refuse(format("Token %d is outside the model's vocabulary of %d tokens.", token, size));
        }
        accept_one(token, generated);
    }
}

void Sampler::accept_one(int32_t token, bool generated) {
    if (generated) draw();
    try {
        common_sampler_accept(sampler_.get(), token, generated);
    } catch (const std::exception & error) {
        refuse(format("Token %d does not fit the grammar: %s", token, error.what()));
    }
}

// llama-common chooses once more where its choice does not fit the grammar, and draws again for that. So that a token's
// numbers depend on nothing but its place, each place has two of its own, used or not.
void Sampler::draw() {
    if (greedy_) return;
    if (!dice_) {
        roll(dice_of(sampler_.get()));
        return;
    }
    roll(dice_.get());
    roll(dice_.get());
}

int32_t Sampler::choose(llama_context * context, int32_t row) {
    if (!greedy_) {
        if (dice_) llama_sampler_copy(dice_.get(), dice_of(sampler_.get()));
        const int32_t token = common_sampler_sample(sampler_.get(), context, row);
        if (dice_) draw();
        return token;
    }
    return best_token(llama_get_logits_ith(context, row), llama_vocab_n_tokens(vocabulary_), biases_);
}

Sample Sampler::sample(llama_context * context, int32_t row, int32_t logprobs) {
    const std::lock_guard<std::mutex> lock(mutex_);
    Sample                            sample;
    if (!sampler_) {
        sample.error = "The sampler was closed before its row was sampled.";
        return sample;
    }
    try {
        sample.token = choose(context, row);
        common_sampler_accept(sampler_.get(), sample.token, /*is_generated=*/true);
    } catch (const std::exception & error) {
        sample.error = std::string("No token could be sampled: ") + error.what();
        return sample;
    }
    sample.is_end_of_generation = llama_vocab_is_eog(vocabulary_, sample.token);
    if (logprobs > 0) {
        const float * logits = llama_get_logits_ith(context, row);
        rank_logprobs(logits, llama_vocab_n_tokens(vocabulary_), logprobs - 1, sample);
    }
    return sample;
}

void Sampler::close() {
    const std::lock_guard<std::mutex> lock(mutex_);
    sampler_.reset();
    dice_.reset();
}

bool Sampler::is_closed() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    return !sampler_;
}

}  // namespace exo
