import type { Rule } from "./rule.js";

/** What people ask for stays out of standard error. */
export const PRIVACY_RULES: readonly Rule[] = [
  {
    name: "grammar: a fault is logged without the grammar",
    file: "src/llama-grammar.cpp",
    find: '        fprintf(stderr, "%s: error parsing grammar: %s\\n\\n%s\\n", __func__, err.what(), src);\n',
    replace: '        LLAMA_LOG_ERROR("%s: error parsing grammar: %s\\n", __func__, err.what());\n',
  },
];
