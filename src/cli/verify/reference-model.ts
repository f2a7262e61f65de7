import { formatByteSize } from "../../config/byte-size.js";
import type { Config } from "../../config/config.js";
import { ExoError } from "../../core/errors.js";
import { stageMemory, totalBytes } from "../../model/memory-estimate.js";
import type { ResolvedModel } from "../../model/resolved-model.js";
import { type Device, listDevices, usableCores } from "../../native/devices.js";
import { encodeKvOperations, encodeRows } from "../../native/micro-batch.js";
import { Stage } from "../../native/stage.js";
import { chooseDevices, usedDevices } from "../../runtime/compute-devices.js";
import { PrefillPolicy } from "../../runtime/prefill-policy.js";
import { type ReferenceRow, referenceRow } from "./compare-answer.js";
import type { RingComputing } from "./ring-computing.js";

const FORGET_EVERYTHING = encodeKvOperations([{ op: "remove", sequence: null, from: 0, to: null }]);

/** Of the ring that is compared: how it computes, on how many stages, and the longest that it is asked. */
export interface ReferenceRing {
  readonly computing: RingComputing;
  readonly stageCount: number;
  readonly contextSize: number;
}

/** The whole model in this process: what the ring's answers are held against. */
export class ReferenceModel {
  readonly #stage: Stage;
  readonly #prefill: PrefillPolicy;

  private constructor(stage: Stage, prefill: PrefillPolicy) {
    this.#stage = stage;
    this.#prefill = prefill;
  }

  /** Refuses with `out_of_memory` what does not fit the memory that is free, before anything is read. */
  static async load(
    model: ResolvedModel,
    config: Config,
    ring: ReferenceRing,
    signal: AbortSignal,
  ): Promise<ReferenceModel> {
    const { contextSize, stageCount } = ring;
    const { ubatch, kv, kvV, flashAttention } = ring.computing;
    const found = listDevices();
    const devices = chooseDevices(config.device, found);
    refuseTooLarge(model, config, ring, usedDevices(devices, found));
    const stage = await Stage.load(
      {
        modelPath: model.path,
        layerBegin: 0,
        layerEnd: model.info.layerCount,
        hasOutput: true,
        contextSize,
        batchSize: ubatch,
        microBatchSize: ubatch,
        maxOutputs: 1,
        threads: config.threads ?? usableCores().length,
        devices,
        kvTypeK: kv,
        kvTypeV: kvV,
        flashAttention,
      },
      { signal },
    );
    return new ReferenceModel(stage, new PrefillPolicy(stageCount, ubatch));
  }

  /** The text of one token. */
  textOf(token: number): string {
    return this.#stage.tokenizer.decode([token], { renderSpecial: true });
  }

  /**
   * What the model says at each place of an answer to the prompt, computed as the ring computes an answer alone: the
   * prompt in its chunks, the answer token by token.
   */
  async score(
    prompt: readonly number[],
    answer: readonly number[],
    signal: AbortSignal,
  ): Promise<readonly ReferenceRow[]> {
    const rows: ReferenceRow[] = [];
    let begin = 0;
    for (const chosen of answer) {
      const tokens = rows.length === 0 ? prompt : answer.slice(rows.length - 1, rows.length);
      rows.push(referenceRow(await this.#lastLogits(tokens, begin, signal), chosen));
      begin += tokens.length;
    }
    return rows;
  }

  async close(): Promise<void> {
    await this.#stage.close();
  }

  /** Of the last of `tokens`, which stand from `begin` on. */
  async #lastLogits(tokens: readonly number[], begin: number, signal: AbortSignal): Promise<Float32Array> {
    let logits: Float32Array | null = null;
    const chunk = this.#prefill.chunk(tokens.length, false);
    for (let at = 0; at < tokens.length; at += chunk) {
      signal.throwIfAborted();
      const rows = tokens.slice(at, at + chunk).map((token, index) => ({
        sequence: 0,
        position: begin + at + index,
        token,
        output: at + index === tokens.length - 1,
      }));
      const result = await this.#stage.decode({
        rows: encodeRows(rows),
        wantLogits: true,
        ...(begin + at === 0 && { kvOperations: FORGET_EVERYTHING }),
      });
      logits = result.logits;
    }
    if (logits === null) throw new ExoError("internal", "The whole model gave no logits for a prompt.");
    return logits;
  }
}

function refuseTooLarge(model: ResolvedModel, config: Config, ring: ReferenceRing, devices: readonly Device[]): void {
  const { ubatch, kv, kvV, flashAttention } = ring.computing;
  const part = { begin: 0, end: model.info.layerCount, hasEmbedding: true, hasOutput: true };
  const needed = totalBytes(
    stageMemory(model.info, part, {
      contextSize: ring.contextSize,
      slots: 1,
      kvType: kv,
      kvTypeV: kvV,
      ubatch,
      flashAttention: flashAttention !== "off",
    }),
  );
  const free = devices.reduce((sum, device) => sum + device.memoryFree, 0);
  const offered = Math.min(free, config.memory ?? free);
  if (needed <= offered) return;
  throw new ExoError(
    "out_of_memory",
    `Comparing needs all of ${model.id} in this process: ${formatByteSize(needed)}, but ${formatByteSize(offered)} of ` +
      "memory may be used here. Run it on a machine with more memory (--url names the cluster), or with a smaller model.",
  );
}
