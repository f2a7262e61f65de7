import type { Measure } from "../cases/bench-case.js";
import type { Figures } from "../figures.js";
import { clientRemark, type Pinning, stayBeside } from "../host/pinning.js";
import { benchDecode, benchPrefill, benchStreams, type LlamaBenchSettings } from "./llama-bench.js";
import { cannotMeasure, type Subject, type SubjectContext } from "./subject.js";

/** Name of the setting in reports: the pass size for prompts of so many tokens. */
export function ubatchSetting(tokens: number): string {
  return `ubatch for ${tokens} tokens`;
}

type Settings = Omit<LlamaBenchSettings, "ubatch" | "signal">;

interface RpcUse {
  readonly servers: number;
  /** Ends them; called once, by `close`. */
  release(): Promise<void>;
}

/** llama.cpp's own tools, alone or over RPC servers, with the pass size that suits them best. */
export class LlamaCpp implements Subject {
  readonly #settings: Settings;
  readonly #ubatches: readonly number[];
  readonly #pinning: Pinning;
  readonly #rpc: RpcUse | null;
  readonly #closed = new AbortController();
  /** Best pass size by tokens of the prompt. */
  readonly #best = new Map<number, number>();

  constructor(settings: Settings, { ubatches, pinning }: SubjectContext, rpc: RpcUse | null = null) {
    this.#settings = settings;
    this.#ubatches = ubatches;
    this.#pinning = pinning;
    this.#rpc = rpc;
  }

  /** Every measurement is a process of its own, which warms itself up. */
  async warmUp(): Promise<void> {}

  async measure(measure: Measure, { warmUp }: { readonly warmUp: boolean }): Promise<Figures> {
    if (this.#rpc !== null) stayBeside(this.#rpc.servers, this.#pinning);
    switch (measure.kind) {
      case "prefill":
        return { prefill: warmUp ? await this.#tryAll(measure.tokens) : await this.#prefill(measure.tokens) };
      case "decode":
        return { decode: await this.#decode(measure.streams, measure.tokens) };
      default:
        throw cannotMeasure("llama.cpp", measure);
    }
  }

  settings(): Readonly<Record<string, string>> {
    const sizes = [...this.#best].map(([tokens, ubatch]) => [ubatchSetting(tokens), String(ubatch)]);
    const remark = this.#rpc === null ? {} : clientRemark(this.#rpc.servers, this.#pinning);
    return { ...Object.fromEntries(sizes), ...remark };
  }

  async close(): Promise<void> {
    this.#closed.abort();
    await this.#rpc?.release();
  }

  #prefill(tokens: number): Promise<number> {
    return benchPrefill(this.#with(this.#best.get(tokens) ?? this.#defaultSize()), tokens);
  }

  async #tryAll(tokens: number): Promise<number> {
    let best = 0;
    for (const ubatch of this.#ubatches) {
      const speed = await benchPrefill(this.#with(ubatch), tokens);
      if (speed > best) this.#best.set(tokens, ubatch);
      best = Math.max(best, speed);
    }
    return best;
  }

  #decode(streams: number, tokens: number): Promise<number> {
    const settings = this.#with(this.#defaultSize());
    return streams === 1 ? benchDecode(settings, tokens) : benchStreams(settings, streams, tokens);
  }

  #with(ubatch: number): LlamaBenchSettings {
    return { ...this.#settings, ubatch, signal: this.#closed.signal };
  }

  #defaultSize(): number {
    return this.#ubatches[0] ?? 512;
  }
}
