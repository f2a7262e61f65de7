import type { RuleSet } from "./apply.js";
import { BUILD_FILE_RULES } from "./build-files.js";
import { CACHE_RULES } from "./caches.js";
import { CONTEXT_RULES } from "./context.js";
import { GRAPH_RULES } from "./graph.js";
import { GRAPH_FIX_RULES } from "./graph-fixes.js";
import { HPARAMS_RULES } from "./hparams.js";
import { LAYER_LOOP_RULES, MODEL_FILES } from "./layer-loops.js";
import { LOADER_RULES } from "./loader.js";
import { MEMORY_LOCK_RULES } from "./memory-lock.js";
import { MODEL_RULES } from "./model.js";
import { PRIVACY_RULES } from "./privacy.js";

/** Everything that turns llama.cpp's release into one that runs a layer range. Order matters within a file only. */
export const RULE_SET: RuleSet = {
  rules: [
    ...BUILD_FILE_RULES,
    ...HPARAMS_RULES,
    ...LOADER_RULES,
    ...MODEL_RULES,
    ...MEMORY_LOCK_RULES,
    ...CACHE_RULES,
    ...GRAPH_RULES,
    ...CONTEXT_RULES,
    ...LAYER_LOOP_RULES,
    ...GRAPH_FIX_RULES,
    ...PRIVACY_RULES,
  ],
  inventories: { "src/models": MODEL_FILES },
};
