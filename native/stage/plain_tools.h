#pragma once

struct common_chat_params;
struct common_chat_templates;
struct common_chat_templates_inputs;

namespace exo {

// Whether tools would get lost: the request has some, and the model's template says nothing about them.
bool needs_plain_tools(const common_chat_templates * templates, const common_chat_templates_inputs & inputs);

// As common_chat_templates_apply, with the tools described in the system prompt and their calls and answers written into
// the messages. Any model can follow it as well as it can; the grammar sees to it that a call is valid.
common_chat_params apply_plain_tools(const common_chat_templates * templates, common_chat_templates_inputs inputs);

}  // namespace exo
