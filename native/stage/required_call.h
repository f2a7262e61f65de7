#pragma once

struct common_chat_params;

namespace exo {

// Where a call must come, llama-common's grammars let a model write text before it, without end. Afterwards they let it write
// white space only. The parser, which takes more than the grammar, stays as it is.
void forbid_text_before_call(common_chat_params & chat);

}  // namespace exo
