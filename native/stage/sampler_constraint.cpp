#include "sampler_constraint.h"

#include <chat.h>
#include <common.h>
#include <json-schema-to-grammar.h>
#include <json.h>

#include "error.h"

namespace exo {
namespace {

std::vector<llama_token> tokens_of(const llama_vocab * vocabulary, const std::string & text) {
    return common_tokenize(vocabulary, text, /*add_special=*/false, /*parse_special=*/true);
}

common_grammar_trigger read_trigger(const common_json & entry, const llama_vocab * vocabulary) {
    common_grammar_trigger trigger;
    const int              type = entry.at("type").get<int>();
    if (type < COMMON_GRAMMAR_TRIGGER_TYPE_TOKEN || type > COMMON_GRAMMAR_TRIGGER_TYPE_PATTERN_FULL) {
        throw StageError(ErrorCode::invalid_argument, "A constraint names an unknown kind of grammar trigger.");
    }
    trigger.type  = static_cast<common_grammar_trigger_type>(type);
    trigger.value = entry.at("value").get<std::string>();
    if (trigger.type == COMMON_GRAMMAR_TRIGGER_TYPE_TOKEN) trigger.token = entry.at("token").get<int>();
    // A trigger word that is one special token of this vocabulary is seen as that token, never as text.
    if (trigger.type == COMMON_GRAMMAR_TRIGGER_TYPE_WORD) {
        const auto tokens = tokens_of(vocabulary, trigger.value);
        if (tokens.size() == 1) {
            trigger.type  = COMMON_GRAMMAR_TRIGGER_TYPE_TOKEN;
            trigger.token = tokens[0];
        }
    }
    return trigger;
}

// llama-common feeds the template's start of the answer to the grammar, token by token, but for a first token that begins
// with a space of the tokenizer's own. In some vocabularies that token holds more than the space, and the rest does not fit
// the grammar. Such a grammar begins behind that start instead.
void begin_behind_prompt(const llama_vocab * vocabulary, std::string & grammar, std::string & prompt) {
    const auto tokens = tokens_of(vocabulary, prompt);
    if (tokens.empty() || prompt[0] == ' ') return;
    const auto piece = common_token_to_piece(vocabulary, tokens[0], /*special=*/true);
    if (piece.size() < 2 || piece[0] != ' ') return;
    const std::string root  = "root ::= ";
    const auto        start = gbnf_format_literal(prompt);
    const auto        found = grammar.find(root + start);
    if (found == std::string::npos || (found > 0 && grammar[found - 1] != '\n')) return;
    grammar.erase(found + root.size(), start.size());
    prompt.clear();
}

void read_fields(const common_json & fields, const llama_vocab * vocabulary, common_params_sampling & params) {
    // llama.cpp's server, too, calls every grammar of a template one for tool calls: the template's start of the
    // answer then counts as text that the grammar has seen
    auto grammar             = fields.at("grammar").get<std::string>();
    params.generation_prompt = fields.at("generation_prompt").get<std::string>();
    begin_behind_prompt(vocabulary, grammar, params.generation_prompt);
    params.grammar           = { COMMON_GRAMMAR_TYPE_TOOL_CALLS, grammar };
    params.grammar_lazy      = fields.at("grammar_lazy").get<bool>();
    for (const auto & trigger : fields.at("grammar_triggers")) {
        params.grammar_triggers.push_back(read_trigger(trigger, vocabulary));
    }
    if (params.grammar_lazy && params.grammar_triggers.empty()) {
        throw StageError(ErrorCode::invalid_argument, "A constraint has a lazy grammar without a trigger.");
    }
    for (const auto & text : fields.at("preserved_tokens")) {
        const auto tokens = tokens_of(vocabulary, text.get<std::string>());
        if (tokens.size() == 1) params.preserved_tokens.insert(tokens[0]);
    }
    // With a lazy grammar these keep triggers inside the reasoning from counting.
    params.reasoning_budget_start = tokens_of(vocabulary, fields.at("thinking_start").get<std::string>());
    for (const auto & end : fields.at("thinking_ends")) {
        const auto tokens = tokens_of(vocabulary, end.get<std::string>());
        if (!tokens.empty()) params.reasoning_budget_end.push_back(tokens);
    }
    if (!params.reasoning_budget_end.empty()) params.reasoning_budget_forced = params.reasoning_budget_end.front();
}

}  // namespace

std::string write_constraint(const common_chat_params & chat) {
    if (chat.grammar.empty()) return "";
    auto triggers = common_json::array();
    for (const auto & trigger : chat.grammar_triggers) {
        triggers.push_back({ { "type", static_cast<int>(trigger.type) },
                             { "value", trigger.value },
                             { "token", static_cast<int>(trigger.token) } });
    }
    common_json fields = common_json::object();
    fields["grammar"]           = chat.grammar;
    fields["grammar_lazy"]      = chat.grammar_lazy;
    fields["grammar_triggers"]  = triggers;
    fields["preserved_tokens"]  = chat.preserved_tokens;
    fields["generation_prompt"] = chat.generation_prompt;
    fields["thinking_start"]    = chat.thinking_start_tag;
    fields["thinking_ends"]     = chat.thinking_end_tags;
    return fields.dump_safe();
}

void read_constraint(const std::string & constraint, const llama_vocab * vocabulary, common_params_sampling & params) {
    try {
        read_fields(common_json::parse(constraint), vocabulary, params);
    } catch (const StageError &) {
        throw;
    } catch (const std::exception & error) {
        throw StageError(ErrorCode::invalid_argument,
                         std::string("A constraint is not what chat_apply gives: ") + error.what());
    }
}

}  // namespace exo
