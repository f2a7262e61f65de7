#include "../stage/grammar_check.h"

#include <string>

#include "check.h"

using namespace exo;

static std::string repeated(const std::string & text, int times) {
    std::string all;
    for (int count = 0; count < times; ++count) all += text;
    return all;
}

int main() {
    check_grammar_text("");
    check_grammar_text(R"(root ::= "a"{2,5} [a-z]{3} x{0,} # {5,2}
x ::= "{5,2}" | [{5,2}] | "\"{5,2}" | [\]{5,2}])");
    check_grammar_text("root ::= \"a\"{2,2} \"b\"{002,10}");
    // what is no repetition is llama.cpp's to refuse
    check_grammar_text("root ::= \"a\"{,2} \"b\"{x,1} {");
    check_grammar_text("root ::= \"never closed");
    check_grammar_text(repeated("(", 256));

    const auto bad = ErrorCode::invalid_argument;
    CHECK_THROWS(bad, (check_grammar_text("root ::= \"a\"{5,2}"), 0));
    CHECK_THROWS(bad, (check_grammar_text("root ::= \"a\"{10,9}"), 0));
    CHECK_THROWS(bad, (check_grammar_text("root ::= \"a\"{1,0}"), 0));
    CHECK_THROWS(bad, (check_grammar_text("root ::= \"a\" { 5 , # a comment\n 2 }"), 0));
    CHECK_THROWS(bad, (check_grammar_text("root ::= \"a\"{1,99999999999999999999}"), 0));
    CHECK_THROWS(bad, (check_grammar_text("root ::= " + repeated("(", 257)), 0));
    CHECK_THROWS(bad, (check_grammar_text(repeated("a ::= b\n", 20000)), 0));
    CHECK_THROWS(bad, (check_grammar_text("root ::= a" + repeated("|a", 20000)), 0));
    CHECK_THROWS(bad, (check_grammar_text(repeated("#", 2000000)), 0));
}
