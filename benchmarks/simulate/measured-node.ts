import type { ModelSpec } from "./models.js";
import { OptionError } from "./options.js";
import { measured, type Results } from "./results-file.js";
import { weightsOf } from "./roofline.js";
import type { StageCost, Work } from "./stage-cost.js";

/** What one node alone was seen to take for the whole model. */
export interface NodeCurve {
  /** Rows → seconds of a pass of next tokens, output head included; ascending. */
  readonly decode: readonly (readonly [rows: number, seconds: number])[];
  /** Of a prompt: per row, and per row and token of context before it. */
  readonly perRow: number;
  readonly perAttended: number;
}

/** The measurements that a prediction may use: those of a ring of one node. Nothing of larger rings goes in. */
const ONE_NODE = "ring-1";
const STREAMS = [1, 2, 4, 8];
const SHORT = 512;
const LONG = 2048;

/** From the results of one node. */
export function nodeCurve(results: Results): NodeCurve {
  const decode = STREAMS.flatMap((streams): [number, number][] => {
    const speed = measured(results, `decode-${streams}`, ONE_NODE, "decode");
    return speed === null ? [] : [[streams, streams / speed]];
  });
  const short = measured(results, "prefill-512", ONE_NODE, "prefill");
  if (short === null || decode.length === 0) {
    throw new OptionError(`The results hold no prefill-512 or no decode of ${ONE_NODE}, from which to predict.`);
  }
  const long = measured(results, "prefill-2048", ONE_NODE, "prefill");
  return { decode, ...prefillRates(short, long) };
}

/** Two lengths tell apart what a row costs by itself and what the tokens before it cost. */
function prefillRates(short: number, long: number | null): Pick<NodeCurve, "perRow" | "perAttended"> {
  if (long === null) return { perRow: 1 / short, perAttended: 0 };
  // Seconds per row = perRow + perAttended · mean context, which is half the length.
  const perAttended = Math.max(0, (1 / long - 1 / short) / ((LONG - SHORT) / 2));
  return { perRow: 1 / short - (perAttended * SHORT) / 2, perAttended };
}

/** A share of the layers on such a node. The output head takes the share of a token's time that it has of the weights. */
export function curveCost(curve: NodeCurve, model: ModelSpec, layers: number): StageCost {
  const share = layers / model.layers;
  const outputShare = weightsOf(model).output / model.activeParameters;
  const [most] = curve.decode.at(-1) ?? [1];
  return {
    layers: ({ rows, attended }: Work) => {
      if (rows === 0) return 0;
      const whole =
        rows <= most
          ? interpolated(curve.decode, rows) * (1 - outputShare)
          : Math.max(
              interpolated(curve.decode, most) * (1 - outputShare),
              rows * curve.perRow + attended * curve.perAttended,
            );
      return whole * share;
    },
    output: (rows) => interpolated(curve.decode, rows) * outputShare,
  };
}

/** Between the two nearest points; beyond the last one as steep as before it. */
export function interpolated(points: readonly (readonly [number, number])[], at: number): number {
  const above = points.findIndex(([x]) => x >= at);
  const index = above < 0 ? points.length - 1 : above;
  const [x1, y1] = points[index] ?? [at, 0];
  if (x1 === at || points.length === 1) return y1;
  const [x0, y0] = points[Math.max(0, index - 1)] ?? [x1, y1];
  return x0 === x1 ? y1 : y0 + ((y1 - y0) * (at - x0)) / (x1 - x0);
}
