import type { LayerSpeed, ModelSpeed, PassTime } from "../../planning/speeds.js";
import { rising } from "./assemble-speed.js";

/** Of two measurements of the same the shorter times: what disturbs only ever adds. The newer where they are of different parts. */
export function bestOf(older: ModelSpeed, newer: ModelSpeed): ModelSpeed {
  if (older.kinds.length !== newer.kinds.length) return newer;
  return {
    kinds: newer.kinds.map((kind, index) => bestLayer(older.kinds[index] ?? kind, kind)),
    kindOfLayer: newer.kindOfLayer,
    output: bestPasses(older.output, newer.output),
    perPass: Math.min(older.perPass, newer.perPass),
  };
}

function bestLayer(older: LayerSpeed, newer: LayerSpeed): LayerSpeed {
  return {
    passes: bestPasses(older.passes, newer.passes),
    perCachedToken: Math.min(older.perCachedToken, newer.perCachedToken),
    perCachedTokenOfMany: Math.min(older.perCachedTokenOfMany, newer.perCachedTokenOfMany),
  };
}

/** A measurement that was cut short has fewer sizes. */
function bestPasses(older: readonly PassTime[], newer: readonly PassTime[]): readonly PassTime[] {
  const sizes = [...new Set([...older, ...newer].map(({ rows }) => rows))].sort((a, b) => a - b);
  const least = sizes.map((rows) => {
    const found = [...older, ...newer].filter((pass) => pass.rows === rows).map(({ seconds }) => seconds);
    return { rows, seconds: Math.min(...found) };
  });
  return rising(least);
}
