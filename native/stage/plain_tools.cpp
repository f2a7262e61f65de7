#include "plain_tools.h"

#include <chat-peg-parser.h>
#include <chat.h>
#include <json-schema-to-grammar.h>
#include <json.h>

#include "error.h"

namespace exo {
namespace {

constexpr auto call_start = "<tool_call>";
constexpr auto call_end   = "</tool_call>";

bool supports(const common_chat_templates * templates, const char * what) {
    const auto capabilities = common_chat_templates_get_caps(templates);
    const auto found        = capabilities.find(what);
    return found != capabilities.end() && found->second;
}

std::string description_of(const std::vector<common_chat_tool> & tools, bool required) {
    std::string text = "You can call these functions:\n";
    for (const auto & tool : tools) {
        common_json json     = common_json::object();
        json["name"]        = tool.name;
        json["description"] = tool.description;
        json["parameters"]  = common_json::parse(tool.parameters.empty() ? "{}" : tool.parameters);
        text += json.dump_safe() + "\n";
    }
    text += std::string("A call is written so:\n") + call_start + "{\"name\": \"...\", \"arguments\": {...}}" + call_end;
    text += "\nWhat the function returns comes back between <tool_response> and </tool_response>.";
    if (required) text += "\nAnswer with a call.";
    return text;
}

// Calls and their answers as text, which every template knows.
void write_into(common_chat_msg & message) {
    for (const auto & call : message.tool_calls) {
        common_json name = common_json::object();
        name["name"]      = call.name;
        auto text         = name.dump_safe();
        text.pop_back();
        text += ", \"arguments\": " + (call.arguments.empty() ? std::string("{}") : call.arguments) + "}";
        message.content += (message.content.empty() ? "" : "\n") + (call_start + text) + call_end;
    }
    message.tool_calls.clear();
    if (message.role != "tool") return;
    message.role = "user";
    message.tool_name.clear();
    message.tool_call_id.clear();
    message.content = "<tool_response>" + message.content + "</tool_response>";
}

// One text of content in parts, so that more can be written behind it.
void join_parts(common_chat_msg & message) {
    message.content = message.render_content();
    message.content_parts.clear();
}

void describe_tools(common_chat_templates_inputs & inputs) {
    const auto text  = description_of(inputs.tools, inputs.tool_choice == COMMON_CHAT_TOOL_CHOICE_REQUIRED);
    auto &     first = inputs.messages.front();
    if (first.role == "system" || first.role == "developer") {
        first.content += "\n\n" + text;
        return;
    }
    common_chat_msg system;
    system.role    = "system";
    system.content = text;
    inputs.messages.insert(inputs.messages.begin(), system);
}

common_peg_arena parser_of(const common_chat_templates_inputs & inputs, bool required) {
    const auto tools = common_chat_tools_to_json_oaicompat(inputs.tools);
    return build_chat_peg_parser([&](common_chat_peg_builder & p) {
        auto calls = p.standard_json_tools(call_start, call_end, tools, inputs.parallel_tool_calls, required, "name", "arguments");
        if (required) return p.space() + calls + p.space() + p.end();
        return p.content(p.until(call_start)) + calls + p.space() + p.end();
    });
}

}  // namespace

bool needs_plain_tools(const common_chat_templates * templates, const common_chat_templates_inputs & inputs) {
    if (supports(templates, "supports_tools") || supports(templates, "supports_tool_calls")) return false;
    if (!inputs.tools.empty() && inputs.tool_choice != COMMON_CHAT_TOOL_CHOICE_NONE) return true;
    for (const auto & message : inputs.messages) {
        if (!message.tool_calls.empty() || message.role == "tool") return true;
    }
    return false;
}

common_chat_params apply_plain_tools(const common_chat_templates * templates, common_chat_templates_inputs inputs) {
    const bool usable   = !inputs.tools.empty() && inputs.tool_choice != COMMON_CHAT_TOOL_CHOICE_NONE;
    const bool required = inputs.tool_choice == COMMON_CHAT_TOOL_CHOICE_REQUIRED;
    if (usable && !inputs.json_schema.empty()) {
        throw StageError(ErrorCode::unsupported,
                         "This model's template knows no tools, so they cannot be combined with a schema for the answer; "
                         "leave out one of the two.");
    }
    for (auto & message : inputs.messages) {
        join_parts(message);
        write_into(message);
    }
    if (usable && !inputs.messages.empty()) describe_tools(inputs);
    auto plain        = inputs;
    plain.tools.clear();
    plain.tool_choice = COMMON_CHAT_TOOL_CHOICE_NONE;
    auto chat         = common_chat_templates_apply(templates, plain);
    if (!usable) return chat;

    const auto parser      = parser_of(inputs, required);
    chat.format            = COMMON_CHAT_FORMAT_PEG_NATIVE;
    chat.parser            = parser.save();
    chat.generation_prompt = "";
    chat.grammar_lazy      = !required;
    chat.grammar           = build_grammar(
        [&](const common_grammar_builder & builder) { parser.build_grammar(builder, chat.grammar_lazy); });
    chat.grammar_triggers.clear();
    if (chat.grammar_lazy) chat.grammar_triggers.push_back({ COMMON_GRAMMAR_TRIGGER_TYPE_WORD, call_start });
    return chat;
}

}  // namespace exo
