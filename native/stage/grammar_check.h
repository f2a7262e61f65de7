#pragma once

#include <string>

namespace exo {

// Throws `invalid_argument` for GBNF that llama.cpp would take too far: its parser recurses for every parenthesis and
// every rule that begins with another, and counts without end from a repetition whose most is below its least.
// Whether the rest is valid GBNF is left to llama.cpp.
void check_grammar_text(const std::string & text);

}  // namespace exo
