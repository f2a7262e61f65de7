import type { Rule } from "./rule.js";

/** The stage travels with the model's hyper-parameters, so loader, caches and graphs all see it. */
export const HPARAMS_RULES: readonly Rule[] = [
  {
    name: "hparams: include the stage",
    file: "src/llama-hparams.h",
    find: '#include "llama.h"\n',
    replace: '#include "llama.h"\n\n#include "exo-stage.h"\n',
  },
  {
    name: "hparams: hold the stage",
    file: "src/llama-hparams.h",
    find: "    uint32_t n_layer_nextn = 0;\n",
    replace: "    uint32_t n_layer_nextn = 0;\n\n    exo_stage stage;\n",
  },
];
