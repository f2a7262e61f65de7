#include "chat.h"

#include <chat.h>
#include <common.h>
#include <json-schema-to-grammar.h>
#include <json.h>

#include <algorithm>

#include "error.h"
#include "plain_tools.h"
#include "required_call.h"
#include "sampler_constraint.h"

namespace exo {
namespace {

// More chats than any node runs at once.
constexpr size_t most_parsers = 256;

// Reasoning comes apart from the answer, as OpenAI-like clients expect it.
constexpr auto reasoning_format = COMMON_REASONING_FORMAT_DEEPSEEK;

[[noreturn]] void refuse(const std::string & sentence) {
    throw StageError(ErrorCode::invalid_argument, sentence);
}

bool present(const common_json & request, const char * key) {
    return request.contains(key) && !request.at(key).is_null();
}

std::string text_or_empty(const common_json & request, const char * key) {
    return present(request, key) ? request.at(key).get<std::string>() : std::string();
}

bool flag_or(const common_json & request, const char * key, bool otherwise) {
    return present(request, key) ? request.at(key).get<bool>() : otherwise;
}

// `thinks`: whether the model thinks unless the request says something.
common_chat_templates_inputs read_request(const common_json & request, const common_chat_templates * templates, bool thinks) {
    common_chat_templates_inputs inputs;
    if (!present(request, "messages") || !request.at("messages").is_array()) refuse("Expected an array of messages.");
    inputs.messages = common_chat_msgs_parse_oaicompat(request.at("messages"));
    if (present(request, "tools")) inputs.tools = common_chat_tools_parse_oaicompat(request.at("tools"));
    if (present(request, "tool_choice")) {
        inputs.tool_choice = common_chat_tool_choice_parse_oaicompat(request.at("tool_choice").get<std::string>());
    }
    inputs.json_schema           = text_or_empty(request, "json_schema");
    inputs.grammar               = text_or_empty(request, "grammar");
    inputs.add_generation_prompt = flag_or(request, "add_generation_prompt", true);
    inputs.enable_thinking       = flag_or(request, "enable_thinking", thinks);
    inputs.reasoning_format      = reasoning_format;
    inputs.use_jinja             = true;
    if (present(request, "template_variables")) {
        for (const auto & variable : request.at("template_variables").items()) {
            inputs.chat_template_kwargs[variable.key()] = variable.value().dump();
        }
    }
    const auto capabilities      = common_chat_templates_get_caps(templates);
    const auto parallel          = capabilities.find("supports_parallel_tool_calls");
    inputs.parallel_tool_calls =
        flag_or(request, "parallel_tool_calls", parallel != capabilities.end() && parallel->second);
    const bool with_tools = !inputs.tools.empty() && inputs.tool_choice != COMMON_CHAT_TOOL_CHOICE_NONE;
    if (!inputs.grammar.empty() && (with_tools || !inputs.json_schema.empty())) {
        refuse("A grammar cannot be combined with tools or a JSON schema.");
    }
    return inputs;
}

std::string write_parser_state(const common_chat_params & chat, bool parse_tool_calls) {
    common_json state           = common_json::object();
    state["format"]            = static_cast<int>(chat.format);
    state["generation_prompt"] = chat.generation_prompt;
    state["parser"]            = chat.parser;
    state["parse_tool_calls"]  = parse_tool_calls;
    return state.dump_safe();
}

std::unique_ptr<common_chat_parser_params> read_parser_state(const std::string & text) {
    const auto state  = common_json::parse(text);
    const int  format = state.at("format").get<int>();
    if (format < 0 || format >= COMMON_CHAT_FORMAT_COUNT) refuse("A parser state names an unknown chat format.");
    auto params               = std::make_unique<common_chat_parser_params>();
    params->format            = static_cast<common_chat_format>(format);
    params->reasoning_format  = reasoning_format;
    params->generation_prompt = state.at("generation_prompt").get<std::string>();
    params->parse_tool_calls  = state.at("parse_tool_calls").get<bool>();
    const auto parser         = state.at("parser").get<std::string>();
    if (!parser.empty()) params->parser.load(parser);
    return params;
}

std::string write_message(const common_chat_msg & message) {
    auto calls = common_json::array();
    for (const auto & call : message.tool_calls) {
        calls.push_back({ { "id", call.id }, { "name", call.name }, { "arguments", call.arguments } });
    }
    common_json json          = common_json::object();
    json["content"]           = message.render_content();
    json["reasoning_content"] = message.reasoning_content;
    json["tool_calls"]        = calls;
    return json.dump_safe();
}

// What llama-common says, in one line and with its full stop.
std::string as_sentence(const char * what, const std::string & reason) {
    std::string sentence = what + reason;
    std::replace(sentence.begin(), sentence.end(), '\n', ' ');
    return sentence.back() == '.' ? sentence : sentence + ".";
}

// Runs a step of llama-common; what it throws is about what the caller sent.
template <typename Step> auto as_argument_error(const char * what, const Step & step) {
    try {
        return step();
    } catch (const StageError &) {
        throw;
    } catch (const std::bad_alloc &) {
        throw;
    } catch (const std::exception & error) {
        refuse(as_sentence(what, error.what()));
    }
}

}  // namespace

Chat::Chat() : templates_(nullptr, common_chat_templates_free) {}

Chat::~Chat() = default;

void Chat::load(const llama_model * model) {
    vocabulary_ = llama_model_get_vocab(model);
    try {
        templates_.reset(common_chat_templates_init(model, "").release());
    } catch (const std::exception & error) {
        template_error_ = error.what();
    }
}

ChatPrompt Chat::apply(const std::string & request) const {
    if (!templates_) {
        throw StageError(ErrorCode::unsupported, "This model's chat template cannot be read (" + template_error_ +
                                                     "); send the prompt as plain text.");
    }
    // llama-common would fall back to a template that the model was not trained with
    if (!common_chat_templates_was_explicit(templates_.get())) {
        throw StageError(ErrorCode::unsupported,
                         "This model has no chat template; send the prompt as plain text to /v1/completions.");
    }
    return as_argument_error("The chat template cannot take these messages: ", [&] {
        const auto inputs = read_request(common_json::parse(request), templates_.get(), thinks());
        auto       chat   = needs_plain_tools(templates_.get(), inputs)
                                ? apply_plain_tools(templates_.get(), inputs)
                                : common_chat_templates_apply(templates_.get(), inputs);
        if (!inputs.tools.empty() && inputs.tool_choice == COMMON_CHAT_TOOL_CHOICE_REQUIRED) forbid_text_before_call(chat);
        ChatPrompt prompt;
        prompt.prompt           = chat.prompt;
        prompt.constraint       = write_constraint(chat);
        prompt.additional_stops = chat.additional_stops;
        prompt.parser_state =
            write_parser_state(chat, !inputs.tools.empty() && inputs.tool_choice != COMMON_CHAT_TOOL_CHOICE_NONE);
        for (const auto & text : chat.preserved_tokens) {
            const auto tokens = common_tokenize(vocabulary_, text, /*add_special=*/false, /*parse_special=*/true);
            if (tokens.size() == 1) prompt.preserved_tokens.push_back(tokens[0]);
        }
        return prompt;
    });
}

bool Chat::thinks() const {
    // as llama.cpp's server: where a template is not known to think, it is told not to
    if (thinks_.has_value()) return *thinks_;
    try {
        thinks_ = common_chat_templates_support_enable_thinking(templates_.get());
    } catch (const std::exception &) {
        // it is tried with a chat of one word, which not every template takes
        thinks_ = true;
    }
    return *thinks_;
}

std::string Chat::parse(const std::string & parser_state, const std::string & text, bool is_partial) {
    return as_argument_error("The answer cannot be parsed: ", [&] {
        return write_message(common_chat_parse(text, is_partial, parser_for(parser_state)));
    });
}

const common_chat_parser_params & Chat::parser_for(const std::string & state) {
    const auto found = parsers_.find(state);
    if (found != parsers_.end()) return *found->second;
    if (parsers_.size() >= most_parsers) parsers_.clear();
    return *parsers_.emplace(state, read_parser_state(state)).first->second;
}

std::string grammar_of_json_schema(const std::string & schema) {
    return as_argument_error("The JSON schema cannot be turned into a grammar: ",
                             [&] { return json_schema_to_grammar(common_json::parse(schema)); });
}

}  // namespace exo
