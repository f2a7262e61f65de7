#include "grammar_check.h"

#include <cctype>
#include <cstddef>

#include "error.h"
#include "text.h"

namespace exo {
namespace {

constexpr size_t most_bytes        = 1024 * 1024;
constexpr size_t most_nested       = 256;
constexpr size_t most_rules        = 16384;
constexpr size_t most_alternatives = 8192;
// As many as surely fit into 64 bits.
constexpr size_t most_digits       = 19;

[[noreturn]] void refuse(const std::string & sentence) {
    throw StageError(ErrorCode::invalid_argument, sentence);
}

class Scan {
  public:
    explicit Scan(const std::string & text) : text_(text) {}

    void run() {
        while (at_ < text_.size()) step();
    }

  private:
    void step() {
        const char next = text_[at_];
        switch (next) {
            case '"': skip_to('"'); return;
            case '[': skip_to(']'); return;
            case '#': skip_comment(); return;
            case '{': read_repetition(); return;
            case '(': count(++nested_, most_nested, "parentheses within each other"); break;
            case ')': nested_ -= nested_ > 0 ? 1 : 0; break;
            case '|': count(++alternatives_, most_alternatives, "alternatives"); break;
            case '=': count(++rules_, most_rules, "rules"); break;
            default: break;
        }
        ++at_;
    }

    // Behind the end of a literal or of a set of characters.
    void skip_to(char end) {
        ++at_;
        while (at_ < text_.size() && text_[at_] != end) at_ += text_[at_] == '\\' ? 2 : 1;
        ++at_;
    }

    void skip_comment() {
        while (at_ < text_.size() && text_[at_] != '\n' && text_[at_] != '\r') ++at_;
    }

    void skip_space() {
        while (at_ < text_.size()) {
            if (text_[at_] == '#') {
                skip_comment();
            } else if (std::isspace(static_cast<unsigned char>(text_[at_]))) {
                ++at_;
            } else {
                return;
            }
        }
    }

    void read_repetition() {
        ++at_;
        const auto least = read_number();
        if (at_ >= text_.size() || text_[at_] != ',') return;
        ++at_;
        const auto most = read_number();
        if (least.empty() || most.empty() || longer(most, least)) return;
        refuse("The grammar asks for at least " + least + " and at most " + most + " repetitions, which cannot be.");
    }

    // Digits without leading zeros, and the space around them skipped.
    std::string read_number() {
        skip_space();
        std::string digits;
        while (at_ < text_.size() && std::isdigit(static_cast<unsigned char>(text_[at_]))) digits += text_[at_++];
        skip_space();
        if (digits.size() > most_digits) refuse("The grammar has a count of repetitions that is too long a number.");
        const auto first = digits.find_first_not_of('0');
        return digits.empty() ? "" : first == std::string::npos ? "0" : digits.substr(first);
    }

    static bool longer(const std::string & most, const std::string & least) {
        return most.size() != least.size() ? most.size() > least.size() : most >= least;
    }

    static void count(size_t number, size_t most, const char * what) {
        if (number > most) refuse(format("The grammar has more than %zu %s; make it smaller.", most, what));
    }

    const std::string & text_;
    size_t              at_           = 0;
    size_t              nested_       = 0;
    size_t              alternatives_ = 0;
    size_t              rules_        = 0;
};

}  // namespace

void check_grammar_text(const std::string & text) {
    if (text.size() > most_bytes) {
        refuse(format("The grammar takes %zu bytes; at most %zu are allowed. A smaller schema makes a smaller one.",
                      text.size(), most_bytes));
    }
    Scan(text).run();
}

}  // namespace exo
