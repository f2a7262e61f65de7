import type { Rule } from "./rule.js";

/** Layers of other stages get no KV cache and no recurrent state. */
export const CACHE_RULES: readonly Rule[] = [
  {
    // After the head sizes are compared, so that all stages decide alike on rotating a quantized cache.
    name: "kv cache: only layers of the stage",
    file: "src/llama-kv-cache.cpp",
    find: "        // [TAG_V_CACHE_VARIABLE]\n        const uint32_t n_embd_k_gqa = ",
    replace:
      "        if (!hparams.stage.holds(il)) {\n            continue;\n        }\n\n" +
      "        // [TAG_V_CACHE_VARIABLE]\n        const uint32_t n_embd_k_gqa = ",
  },
  {
    name: "kv cache: reuse only within the stage",
    file: "src/llama-kv-cache.cpp",
    find: "            const int32_t il_reuse = reuse(il);\n",
    replace:
      "            if (!hparams.stage.holds(il)) {\n                continue;\n            }\n" +
      "            const int32_t il_reuse = reuse(il);\n",
  },
  {
    name: "recurrent state: only layers of the stage",
    file: "src/llama-memory-recurrent.cpp",
    find: "    for (int i = 0; i < n_layer; i++) {\n        if (filter && !filter(i)) {\n",
    replace:
      "    for (int i = 0; i < n_layer; i++) {\n" +
      "        if (!hparams.stage.holds(i)) {\n            continue;\n        }\n" +
      "        if (filter && !filter(i)) {\n",
  },
  {
    name: "deepseek4 compressor state: only layers of the stage",
    file: "src/llama-kv-cache-dsv4.cpp",
    find: "    for (uint32_t il = 0; il < hparams.n_layer(); ++il) {\n        if (filter && !filter(il)) {\n",
    replace:
      "    for (uint32_t il = 0; il < hparams.n_layer(); ++il) {\n" +
      "        if (!hparams.stage.holds(il)) {\n            continue;\n        }\n" +
      "        if (filter && !filter(il)) {\n",
  },
];
