#pragma once

#include <string>

#include "llama.h"

struct common_chat_params;
struct common_params_sampling;

namespace exo {

// What an answer must look like, as JSON text, so that it can travel to the node that samples. "" when it is free.
std::string write_constraint(const common_chat_params & chat);

// Throws `invalid_argument` for text that `write_constraint` does not write.
void read_constraint(const std::string & constraint, const llama_vocab * vocabulary, common_params_sampling & params);

}  // namespace exo
