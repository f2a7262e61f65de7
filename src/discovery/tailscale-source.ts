import { BackgroundWork } from "../core/lifecycle.js";
import type { Logger } from "../core/ports.js";
import type { SourceReport } from "./discovery.js";
import type { OfferSink, PeerSource, Sleep } from "./peer-source.js";
import type { CommandOutput, RunCommand } from "./run-command.js";
import { parseTailscaleStatus, type TailnetPeer, type TailnetStatus } from "./tailscale-status.js";

export interface TailscaleSourceOptions {
  readonly run: RunCommand;
  readonly platform: NodeJS.Platform;
  /** Where nodes listen on the other machines. */
  readonly port: number;
  /** The user asked for it by name, so that it is told aloud when it cannot be had. */
  readonly wanted: boolean;
  readonly sink: OfferSink;
  readonly sleep: Sleep;
  readonly logger: Logger;
}

const REFRESH_MS = 30_000;
/** Somebody may install it, or log in, while the node runs. */
const REFRESH_UNAVAILABLE_MS = 120_000;

const COMMANDS: Readonly<Partial<Record<NodeJS.Platform, readonly string[]>>> = {
  darwin: ["tailscale", "/Applications/Tailscale.app/Contents/MacOS/Tailscale"],
};

/** Other machines of the user's Tailscale network, as its own command lists them. */
export class TailscaleSource implements PeerSource {
  readonly name = "Tailscale";
  readonly #options: TailscaleSourceOptions;
  #status: TailnetStatus = { fault: "Its status is not known yet.", peers: [] };
  readonly #searching = new BackgroundWork((signal) => this.#run(signal));

  constructor(options: TailscaleSourceOptions) {
    this.#options = options;
  }

  report(): SourceReport {
    const { fault, peers } = this.#status;
    if (fault !== null) return { kind: "tailscale", state: "unavailable", detail: fault };
    return { kind: "tailscale", state: "running", detail: `Other machines that are on: ${peers.length}.` };
  }

  async start(): Promise<void> {
    this.#searching.start();
  }

  async stop(): Promise<void> {
    await this.#searching.stop();
  }

  async #run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const now = await this.#ask();
      if (signal.aborted) return;
      this.#take(now);
      await this.#options.sleep(now.fault === null ? REFRESH_MS : REFRESH_UNAVAILABLE_MS, signal).catch(() => {});
    }
  }

  #take(now: TailnetStatus): void {
    const before = this.#status;
    this.#status = now;
    if (now.fault !== null && now.fault !== before.fault) {
      this.#options.logger[this.#options.wanted ? "warn" : "debug"]({}, now.fault);
    }
    for (const { key } of before.peers) if (!now.peers.some((peer) => peer.key === key)) this.#offer(key, null);
    for (const peer of now.peers) this.#offer(peer.key, peer);
  }

  #offer(key: string, peer: TailnetPeer | null): void {
    const addresses = peer === null ? [] : [{ host: peer.address, port: this.#options.port }];
    this.#options.sink.offer({
      source: "tailscale",
      origin: `tailscale ${key}`,
      addresses,
      identity: null,
      spoke: false,
    });
  }

  async #ask(): Promise<TailnetStatus> {
    for (const command of COMMANDS[this.#options.platform] ?? ["tailscale"]) {
      const output = await this.#options.run(command, ["status", "--json"]);
      if (output !== null) return read(output);
    }
    return { fault: "Tailscale is not installed, or its command is not in the PATH.", peers: [] };
  }
}

function read({ stdout, stderr }: CommandOutput): TailnetStatus {
  if (stdout.trim() !== "") return parseTailscaleStatus(stdout);
  return { fault: `Tailscale does not answer: ${stderr.trim().split("\n")[0] || "no reason given"}.`, peers: [] };
}
