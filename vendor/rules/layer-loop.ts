import type { Rule } from "./rule.js";

export interface LayerLoop {
  /** File name in `src/models` without its extension. */
  readonly model: string;
  /** Statement before the loop that takes the hidden state from the stage before. */
  readonly take?: string;
  /** Condition after the loop under which the graph ends there. */
  readonly ends?: string;
  /** How the loop's body begins, where another loop over the layers comes first in the file; a regular expression. */
  readonly body?: string;
}

/**
 * Every graph of `src/models/*.cpp` runs over its layers in one loop that carries the hidden state in a variable. The
 * rule makes it run over the stage's layers, takes the hidden state from the stage before, and ends the graph after the
 * loop when the output head is elsewhere. Layer numbers stay what they are in the model.
 */
export function layerLoop(loop: LayerLoop): Rule {
  const take = loop.take ?? "inpL = build_stage_input(inpL);";
  const ends = loop.ends ?? "build_stage_output(inpL)";
  return {
    name: `layer loop of ${loop.model}`,
    file: `src/models/${loop.model}.cpp`,
    find: new RegExp(
      `^( *)for \\(int il = 0; il < n_layer; \\+\\+il\\) \\{\\n(${loop.body ?? ""}[\\s\\S]*?)^\\1\\}\\n`,
      "m",
    ),
    replace:
      `$1${take}\n$1for (int il = hparams.stage.begin; il < hparams.stage.end; ++il) {\n$2$1}\n` +
      `$1if (${ends}) {\n$1    return;\n$1}\n`,
  };
}
