#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "llama.h"

struct common_chat_templates;
struct common_chat_parser_params;

namespace exo {

// NativeChatPrompt of src/native/bindings.ts.
struct ChatPrompt {
    std::string              prompt;
    std::string              constraint;  // "" when the answer is free
    std::vector<int32_t>     preserved_tokens;
    std::vector<std::string> additional_stops;
    std::string              parser_state;
};

// A model's chat template, and the parsers for the answers it leads to. Used from one thread at a time.
class Chat {
  public:
    Chat();
    ~Chat();

    // Reads the model's template. One that cannot be read is reported when it is used: the model can still complete
    // plain text.
    void load(const llama_model * model);

    // Throws `unsupported` without a template, `invalid_argument` for messages that it cannot take.
    ChatPrompt  apply(const std::string & request) const;
    // The message so far as JSON text.
    std::string parse(const std::string & parser_state, const std::string & text, bool is_partial);

  private:
    const common_chat_parser_params & parser_for(const std::string & state);
    bool                              thinks() const;

    const llama_vocab *                    vocabulary_ = nullptr;
    std::unique_ptr<common_chat_templates, void (*)(common_chat_templates *)> templates_;
    std::string                            template_error_;
    // Found out when it is needed first, which takes milliseconds.
    mutable std::optional<bool>            thinks_;
    // A parser takes milliseconds to rebuild and is needed for every piece of a stream.
    std::unordered_map<std::string, std::unique_ptr<common_chat_parser_params>> parsers_;
};

std::string grammar_of_json_schema(const std::string & schema);

}  // namespace exo
