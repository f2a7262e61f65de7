import { pause } from "../../core/waiting.js";
import type { ClusterDocument, RingDocument } from "../node-client/cluster-document.js";
import type { NodeClient } from "../node-client/node-client.js";
import { ringProgress } from "../node-client/ring-progress.js";
import type { CliIo } from "../terminal/cli-io.js";
import { paintFor } from "../terminal/paint.js";
import { PlacementDisplay } from "../terminal/placement-display.js";
import { StatusScreen } from "../terminal/status-screen.js";
import type { Ask } from "./conversation.js";

/** Milliseconds between two looks at a model that is being loaded. */
const LOOK_INTERVAL = 300;

/** Asks as `ask` does, and shows on a terminal how the model is loaded meanwhile, if it has to be. */
export function showingLoading(ask: Ask, client: Pick<NodeClient, "cluster">, io: CliIo): Ask {
  if (io.stderr.isTTY !== true) return ask;
  return async function* (request, signal) {
    const answered = new AbortController();
    const watching = watch(request.model, client, io, AbortSignal.any([signal, answered.signal]));
    try {
      for await (const piece of ask(request, signal)) {
        if (!answered.signal.aborted) {
          answered.abort();
          await watching;
        }
        yield piece;
      }
    } finally {
      answered.abort();
      await watching;
    }
  };
}

/** Ends with the signal, and when the model is ready; never rejects, for whoever asks is told what is wrong. */
async function watch(
  model: string,
  client: Pick<NodeClient, "cluster">,
  io: CliIo,
  signal: AbortSignal,
): Promise<void> {
  const screen = new StatusScreen(io.stderr, io.now);
  const display = new PlacementDisplay({ screen, paint: paintFor(io.stderr, io.env), tell: () => {}, now: io.now });
  try {
    while (!signal.aborted) {
      const cluster = await client.cluster();
      const ring = ringOf(cluster, model);
      if (signal.aborted || ring?.state === "ready") break;
      if (ring !== null) display.update(ringProgress(cluster, ring));
      await pause(LOOK_INTERVAL, signal);
    }
  } catch {
    // The question itself says that the node cannot be asked.
  } finally {
    screen.clear();
  }
}

function ringOf({ rings }: ClusterDocument, model: string): RingDocument | null {
  return rings.find((ring) => ring.model === model || ring.spec === model) ?? null;
}
