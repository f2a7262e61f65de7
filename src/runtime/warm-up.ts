import type { Clock } from "../core/ports.js";
import { RingBatchBuilder } from "./micro-batch.js";
import type { Pipeline } from "./pipeline.js";

const WARM_UP_MS = 400;
const MOST_MICRO_BATCHES = 3_000;
/** Under way at once, so that links with a long delay see as many. */
const LANES = 8;

/**
 * Sends micro-batches without rows round a new ring, for a short while. A token takes each node's event loop through the
 * whole of gRPC and HTTP/2 twice, only some ten times a second: left to itself, JavaScript's compiler finds that code
 * worth optimizing after thousands of tokens, and until then a hop takes half as long again.
 */
export async function warmUp(pipeline: Pipeline, clock: Clock): Promise<void> {
  const end = clock.monotonic() + WARM_UP_MS;
  let sent = 0;
  const lane = async (): Promise<void> => {
    for (; sent < MOST_MICRO_BATCHES && clock.monotonic() < end; sent += 1) {
      await pipeline.run(new RingBatchBuilder(0).build(), () => {});
    }
  };
  await Promise.all(Array.from({ length: LANES }, lane));
}
