import type { Rule } from "./rule.js";

/** Our own sources are compiled into libllama. */
export const BUILD_FILE_RULES: readonly Rule[] = [
  {
    name: "cmake: compile the stage sources",
    file: "src/CMakeLists.txt",
    find: "    llama.cpp\n    llama-adapter.cpp\n",
    replace:
      "    exo-stage.cpp\n    exo-stage-archs.cpp\n    exo-stage-graph.cpp\n    exo-stage-memory.cpp\n" +
      "    exo-text.cpp\n    llama.cpp\n    llama-adapter.cpp\n",
  },
];
