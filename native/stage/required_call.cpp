#include "required_call.h"

#include <chat.h>
#include <json.h>

#include <set>
#include <string>
#include <vector>

namespace exo {
namespace {

// The parts of a parser by their place in its list, as common_peg_arena::save writes them.
class Parts {
  public:
    explicit Parts(const common_json & parser) : parts_(parser.at("parsers")), rules_(parser.at("rules")) {}

    // Where text of the answer ends at one of several words.
    std::set<size_t> texts() const {
        std::set<size_t> found;
        for (size_t at = 0; at < parts_.size(); ++at) {
            const auto & part = parts_.at(at);
            if (type_of(part) == "tag" && part.at("tag").get<std::string>() == "content") add_texts(at, found);
        }
        return found;
    }

  private:
    static std::string type_of(const common_json & part) { return part.at("type").get<std::string>(); }

    void add_texts(size_t start, std::set<size_t> & found) const {
        std::set<size_t>    seen;
        std::vector<size_t> waiting{ start };
        while (!waiting.empty()) {
            const size_t at = waiting.back();
            waiting.pop_back();
            if (at >= parts_.size() || !seen.insert(at).second) continue;
            const auto & part = parts_.at(at);
            const auto   type = type_of(part);
            if (type == "until") found.insert(at);
            if (type == "ref") {
                const auto name = part.at("name").get<std::string>();
                if (rules_.contains(name)) waiting.push_back(rules_.at(name).get<size_t>());
            }
            if (type == "schema") continue;
            if (part.contains("child")) waiting.push_back(part.at("child").get<size_t>());
            if (part.contains("children")) {
                for (const auto & child : part.at("children").get<std::vector<size_t>>()) waiting.push_back(child);
            }
        }
    }

    const common_json & parts_;
    const common_json & rules_;
};

// Rules stand one on a line.
void replace_rule(std::string & grammar, const std::string & name, const std::string & by) {
    const auto head  = name + " ::= ";
    auto       begin = grammar.rfind(head, 0) == 0 ? 0 : grammar.find("\n" + head);
    if (begin == std::string::npos) return;
    if (grammar[begin] == '\n') ++begin;
    begin += head.size();
    const auto end = grammar.find('\n', begin);
    grammar.replace(begin, (end == std::string::npos ? grammar.size() : end) - begin, by);
}

}  // namespace

void forbid_text_before_call(common_chat_params & chat) {
    if (chat.grammar.empty() || chat.grammar_lazy || chat.parser.empty()) return;
    const auto parser = common_json::parse(chat.parser);
    // llama-common calls the rule for such a part by its place
    for (const auto at : Parts(parser).texts()) replace_rule(chat.grammar, "until-" + std::to_string(at), "space");
}

}  // namespace exo
