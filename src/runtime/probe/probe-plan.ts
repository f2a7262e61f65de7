import type { LayerKinds } from "./layer-kinds.js";

/** Half-open `[begin, end)`. */
export interface LayerRange {
  readonly begin: number;
  readonly end: number;
}

/** Which layers are loaded to measure a model. */
export interface ProbePlan {
  /** By kind: a layer that is timed alone, or the measured kind that it is most like where there are too many kinds. */
  readonly kinds: readonly ({ readonly layer: number } | { readonly like: number })[];
  /**
   * Neighbours that are computed in one pass and are together too large for the processors' caches, as a stage is; `null`
   * where one layer is.
   */
  readonly window: LayerRange | null;
}

/** Each kind costs about a second, and mixtures of quantizations can make nearly every layer one of its own. */
const MOST_KINDS = 6;

/**
 * @param cacheBytes weights that are certainly read from memory each time
 * @param fits whether so many bytes of weights may be loaded
 */
export function planProbe(kinds: LayerKinds, cacheBytes: number, fits: (bytes: number) => boolean): ProbePlan {
  const measured = commonest(kinds);
  return {
    kinds: kinds.bytes.map((bytes, kind) =>
      measured.has(kind) ? { layer: layerOf(kinds, kind) } : { like: likest(kinds.bytes, bytes, measured) },
    ),
    window: windowOf(kinds, cacheBytes, fits),
  };
}

function commonest({ kindOfLayer, bytes }: LayerKinds): ReadonlySet<number> {
  const counts = bytes.map((_, kind) => ({ kind, count: kindOfLayer.filter((other) => other === kind).length }));
  return new Set(
    counts
      .sort((a, b) => b.count - a.count)
      .slice(0, MOST_KINDS)
      .map(({ kind }) => kind),
  );
}

/** Not the first if there is another: the first would bring the token embedding along. */
function layerOf({ kindOfLayer }: LayerKinds, kind: number): number {
  const later = kindOfLayer.indexOf(kind, 1);
  return later < 0 ? kindOfLayer.indexOf(kind) : later;
}

function likest(bytes: readonly number[], wanted: number, among: ReadonlySet<number>): number {
  const distance = (kind: number): number => Math.abs((bytes[kind] ?? 0) - wanted);
  return [...among].reduce((best, kind) => (distance(kind) < distance(best) ? kind : best));
}

/** From the middle of the model, where layers are as most are: some quantizations take more care at both ends. */
function windowOf(kinds: LayerKinds, cacheBytes: number, fits: (bytes: number) => boolean): LayerRange | null {
  const layers = kinds.kindOfLayer.map((kind) => kinds.bytes[kind] ?? 0);
  const first = Math.min(1, layers.length - 1);
  let range: LayerRange = { begin: Math.max(first, Math.floor(layers.length / 2)), end: Math.floor(layers.length / 2) };
  let held = 0;
  while (held < cacheBytes) {
    const next = wider(range, first, layers.length);
    if (next === null) break;
    const bytes = layers.slice(next.begin, next.end).reduce((sum, one) => sum + one, 0);
    if (!fits(bytes)) break;
    range = next;
    held = bytes;
  }
  return range.end - range.begin > 1 ? range : null;
}

function wider({ begin, end }: LayerRange, first: number, count: number): LayerRange | null {
  if (end < count) return { begin, end: end + 1 };
  return begin > first ? { begin: begin - 1, end } : null;
}
