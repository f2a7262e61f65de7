import { FEW_ROWS, type LayerSpeed, type ModelSpeed, type PassTime } from "./speeds.js";

/** Seconds of a pass of so many rows: between the two nearest measured sizes, beyond the largest as steep as before it. */
export function passSeconds(passes: readonly PassTime[], rows: number): number {
  if (rows <= 0) return 0;
  const above = passes.findIndex((pass) => pass.rows >= rows);
  const index = above < 0 ? passes.length - 1 : above;
  const upper = passes[index];
  const lower = passes[index - 1];
  if (upper === undefined) return 0;
  if (lower === undefined || upper.rows === lower.rows) {
    // One size alone says nothing of a slope: fewer rows cost as much, more rows in proportion.
    return rows <= upper.rows ? upper.seconds : (upper.seconds * rows) / upper.rows;
  }
  const slope = Math.max(0, (upper.seconds - lower.seconds) / (upper.rows - lower.rows));
  return upper.seconds + slope * (rows - upper.rows);
}

/** What a node takes for one pass, whichever layers it holds. Seconds. */
export interface PassCosts {
  /** `upTo[layer]`: all layers before this one; a range is a difference. */
  readonly upTo: Float64Array;
  /** Beside layers and output head. */
  readonly fixed: number;
  /** Output head, for every row of the pass. */
  readonly output: number;
}

/**
 * A pass of so many rows, each of which looks at so many cached tokens.
 *
 * @param outputRows for which the output head is computed
 */
export function passCosts(speed: ModelSpeed, rows: number, cachedTokens: number, outputRows: number): PassCosts {
  const kinds = speed.kinds.map(
    (kind) => passSeconds(kind.passes, rows) + perCachedTokenOf(kind, rows) * rows * cachedTokens,
  );
  const upTo = new Float64Array(speed.kindOfLayer.length + 1);
  for (const [layer, kind] of speed.kindOfLayer.entries()) upTo[layer + 1] = (upTo[layer] ?? 0) + (kinds[kind] ?? 0);
  return { upTo, fixed: speed.perPass, output: passSeconds(speed.output, outputRows) };
}

function perCachedTokenOf({ perCachedToken, perCachedTokenOfMany }: LayerSpeed, rows: number): number {
  return rows <= FEW_ROWS ? perCachedToken : perCachedTokenOfMany;
}

/** Whether these are times of a model of so many layers: what a peer tells is not believed blindly. */
export function isUsableSpeed(speed: ModelSpeed, layerCount: number): boolean {
  const { kinds, kindOfLayer, output, perPass } = speed;
  return (
    kindOfLayer.length === layerCount &&
    kindOfLayer.every((kind) => kinds[kind] !== undefined) &&
    kinds.every(
      ({ passes, perCachedToken, perCachedTokenOfMany }) =>
        areUsable(passes) && isDuration(perCachedToken) && isDuration(perCachedTokenOfMany),
    ) &&
    areUsable(output) &&
    isDuration(perPass)
  );
}

function areUsable(passes: readonly PassTime[]): boolean {
  return (
    passes.length > 0 &&
    passes.every(
      ({ rows, seconds }, index) => isDuration(seconds) && seconds > 0 && rows > (passes[index - 1]?.rows ?? 0),
    )
  );
}

function isDuration(seconds: number): boolean {
  return Number.isFinite(seconds) && seconds >= 0;
}
