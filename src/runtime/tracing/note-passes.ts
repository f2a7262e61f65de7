import type { Clock } from "../../core/ports.js";
import type { Flight } from "../flight-planner.js";
import type { PipelineResult } from "../pipeline.js";

/**
 * Tells the requests that record where their time goes of a micro-batch that came back.
 *
 * @param goesOn for each of `flight.sampled`: it had tokens before
 * @param tokens that each of them got
 */
export function notePasses(
  flight: Flight,
  { timings, way }: PipelineResult,
  goesOn: readonly boolean[],
  tokens: readonly number[],
  clock: Clock,
): void {
  if (!flight.slots.some(({ job }) => job?.passes != null)) return;
  const ended = clock.monotonic();
  const begun = ended - timings.total * 1000;
  const { slots, batch } = flight;
  for (const slot of slots) {
    const at = flight.sampled.findIndex((sampled) => sampled.slot === slot);
    slot.job?.passes?.landed({
      kind: goesOn[at] === true ? "decode" : "prefill",
      begun,
      ended,
      rows: batch.rowCount,
      requests: slots.length,
      tokens: tokens[at] ?? 0,
      way,
    });
  }
}
