import type { ModelRequest } from "./model-request.js";
import type { RingRecord } from "./node-record.js";
import type { PinFile } from "./pin-file.js";
import { answersTo } from "./ring-record.js";

/** What this node was asked to keep loaded, here or elsewhere. */
export class PinnedModels {
  /** `null`: nothing is kept for the next start. */
  readonly #file: PinFile | null;
  /** By settings and command line, for as long as the node runs. */
  #given: readonly ModelRequest[] = [];
  /** By requests, also for the next start, which may be without what is given now. */
  #kept: readonly ModelRequest[] = [];

  constructor(file: PinFile | null) {
    this.#file = file;
  }

  list(): readonly ModelRequest[] {
    return [...this.#given, ...this.#kept.filter((request) => !hasSame(this.#given, request))];
  }

  /** Takes up what was kept; what is given wins over a kept request for the same ring. */
  async restore(given: readonly ModelRequest[]): Promise<void> {
    this.#given = given;
    this.#kept = (await this.#file?.read()) ?? [];
  }

  async keep(request: ModelRequest): Promise<void> {
    this.#kept = [...this.#kept.filter((other) => !isSame(request, other)), request];
    await this.#file?.write(this.#kept);
  }

  async forget(ring: Pick<RingRecord, "model" | "spec" | "askedAs" | "replica">): Promise<void> {
    const stays = (request: ModelRequest): boolean => !isFor(request, ring);
    const before = this.#kept.length;
    this.#given = this.#given.filter(stays);
    this.#kept = this.#kept.filter(stays);
    if (this.#kept.length < before) await this.#file?.write(this.#kept);
  }
}

/** Whether the ring is what was asked for. */
export function isFor(
  request: ModelRequest,
  ring: Pick<RingRecord, "model" | "spec" | "askedAs" | "replica">,
): boolean {
  return request.replica === ring.replica && answersTo(ring, request.spec);
}

function hasSame(requests: readonly ModelRequest[], request: ModelRequest): boolean {
  return requests.some((other) => isSame(request, other));
}

function isSame(a: ModelRequest, b: ModelRequest): boolean {
  return a.spec === b.spec && a.replica === b.replica;
}
