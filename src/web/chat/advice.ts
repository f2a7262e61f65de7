import type { Failure } from "./conversation.js";

/** What the reader can do about a failed answer, besides reading it. */
export interface Advice {
  /** A sentence after the node's own; empty when that says it all. */
  readonly hint: string;
  /** Label of the button that asks for the answer again; `null`: asking again cannot help. */
  readonly again: string | null;
  /** Seconds until it makes sense to ask again. */
  readonly waitSeconds: number;
  /** A way out of it that is not asking again. */
  readonly way: "new-chat" | "settings" | "parameters" | "models" | null;
}

type Kind = Omit<Advice, "waitSeconds">;

const REGENERATE = "Regenerate";
const RETRY = "Try again";

/** By the node's error code; see `docs/errors.md`. */
const BY_CODE: Readonly<Record<string, Kind>> = {
  overloaded: { hint: "The node answers as many requests as it has slots for.", again: RETRY, way: null },
  context_exceeded: {
    hint: "Start a new chat, send less, or have the model loaded with a larger context.",
    again: null,
    way: "new-chat",
  },
  stage_lost: {
    hint: "The ring forms again by itself; then the answer can be had again.",
    again: REGENERATE,
    way: null,
  },
  peer_unreachable: { hint: "When the node is back, ask again.", again: REGENERATE, way: null },
  stale_epoch: { hint: "The ring has just changed; ask again.", again: REGENERATE, way: null },
  interrupted: { hint: "Ask again; what came so far stays above.", again: REGENERATE, way: null },
  unreachable: { hint: "Start it again, then try again.", again: RETRY, way: null },
  not_ready: { hint: "", again: RETRY, way: null },
  deadline_exceeded: { hint: "Ask again, or for a shorter answer.", again: REGENERATE, way: null },
  unauthorized: { hint: "Enter the API key in the settings.", again: RETRY, way: "settings" },
  model_not_found: { hint: "Choose another model.", again: null, way: "models" },
  out_of_memory: { hint: "Choose a smaller model, or let more nodes take part.", again: null, way: "models" },
  download_failed: { hint: "When the source can be reached, try again.", again: RETRY, way: null },
  crash_loop: { hint: "Choose another model.", again: null, way: "models" },
  disk_full: { hint: "Make room on the disk, then try again.", again: RETRY, way: null },
  invalid_argument: { hint: "Look at the parameters of this chat.", again: RETRY, way: "parameters" },
  unsupported: { hint: "Look at the parameters of this chat.", again: RETRY, way: "parameters" },
};

const OTHERWISE: Kind = { hint: "", again: REGENERATE, way: null };

export function adviceFor({ code, retryAfterSeconds }: Failure): Advice {
  return { ...(BY_CODE[code] ?? OTHERWISE), waitSeconds: retryAfterSeconds ?? 0 };
}
