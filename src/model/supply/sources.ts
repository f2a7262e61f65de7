import { ExoError } from "../../core/errors.js";
import type { DownloadIo } from "../download-io.js";
import { refusedBy } from "../http-answer.js";
import type { HttpResponse } from "../http-response.js";
import { isPinned } from "../hub/hf-spec.js";
import { HubClient } from "../hub/hub-client.js";
import { hubRefusal } from "../hub/hub-refusal.js";
import type { HubSettings } from "../hub/hub-settings.js";
import { pinHfSpec, pinWithoutHub } from "../hub/pin-hf.js";
import type { PinnedFile, PinnedSource } from "../pinned-source.js";
import { urlFiles } from "../remote-source.js";
import type { HttpOrigin } from "../sparse/http-ranges.js";
import { formatModelSpec, type ModelSpec, parseModelSpec } from "../spec.js";

/** A spec whose files can be fetched in ranges. */
export type RangedSpec = Extract<ModelSpec, { kind: "url" | "hf" }>;

/** Where the files of such specs are, and how they are asked for. */
export class RangedSources {
  readonly #hub: HubSettings;
  readonly #client: HubClient;

  constructor(hub: HubSettings, io: DownloadIo) {
    this.#hub = hub;
    this.#client = new HubClient(hub, io);
  }

  /**
   * The files that a spec stands for now. A spec of one commit needs no hub for that, though it then does not know sizes
   * and hashes; of others the hub must be asked.
   */
  async pin(spec: RangedSpec, signal: AbortSignal): Promise<PinnedSource> {
    if (spec.kind === "url") return { spec: formatModelSpec(spec), files: [...urlFiles(spec)] };
    const known = isPinned(spec) ? pinWithoutHub(spec, this.#client) : null;
    if (this.#hub.offline) return known ?? this.#refuseOffline(spec);
    return pinHfSpec(spec, this.#client, signal).catch((thrown: unknown) => {
      if (known === null || signal.aborted) throw thrown;
      return known;
    });
  }

  /** `null`: the file is the hub's, and that is not to be asked. */
  origin(file: PinnedFile): HttpOrigin | null {
    const ofHub = new URL(file.url).origin === new URL(this.#hub.endpoint).origin;
    const { token, offline } = this.#hub;
    if (ofHub && offline) return null;
    const headers: Record<string, string> = ofHub && token !== null ? { Authorization: `Bearer ${token}` } : {};
    const refusal = (response: HttpResponse): ExoError =>
      new URL(response.url).origin === new URL(this.#hub.endpoint).origin
        ? hubRefusal(new URL(file.url).pathname.slice(1), response, token !== null)
        : refusedBy(response);
    return { file, headers, refusal };
  }

  /** What was pinned before, at the hub that is set now. */
  current(source: PinnedSource): PinnedSource {
    const spec = parseModelSpec(source.spec);
    const files = spec.kind === "hf" ? pinWithoutHub(spec, this.#client)?.files : undefined;
    if (files === undefined) return source;
    return { ...source, files: source.files.map((file, index) => ({ ...file, url: files[index]?.url ?? file.url })) };
  }

  #refuseOffline(spec: RangedSpec): never {
    throw new ExoError(
      "model_not_found",
      `${formatModelSpec(spec)} is not in the cache, and the hub is not to be asked (HF_HUB_OFFLINE is set). "exo-native models list" shows what is here.`,
      { param: "model" },
    );
  }
}
