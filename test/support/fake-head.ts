import type { LoadedHead } from "../../src/cluster/head-port.js";
import { NO_MEMORY, NO_WORK } from "../../src/cluster/node-record.js";
import { NOTHING_MEASURED } from "../../src/cluster/prediction-record.js";
import { NO_RATES } from "../../src/cluster/ring-rates.js";
import { NO_TOKENS } from "../../src/cluster/ring-tokens.js";
import { ExoError } from "../../src/core/errors.js";
import type { StageInfo } from "../../src/native/stage.js";

const info: StageInfo = {
  architecture: "llama",
  description: "",
  layerCount: 1,
  embeddingSize: 64,
  inputSize: 0,
  outputSize: 0,
  vocabularySize: 100,
  contextTrained: 64,
  contextSize: 64,
  parameterCount: 1,
  chatTemplate: null,
  bosToken: null,
  eosToken: null,
  addBos: false,
  canShift: true,
  canTrim: true,
  pooling: "none",
  wholeTexts: false,
  keepsCache: true,
  generates: true,
  pooledSize: 64,
};

/** A head that computes nothing and breaks when a test says so. */
export class FakeHead implements LoadedHead {
  readonly info = info;
  readonly kept = false;
  readonly #weights: number;
  readonly #listeners: ((error: ExoError) => void)[] = [];
  /** Why it was closed. */
  readonly closedBy: ExoError[] = [];
  /** Whether its stages were to stay loaded. */
  readonly keptBy: boolean[] = [];

  constructor(weights = 0) {
    this.#weights = weights;
  }

  memory = () => ({ ...NO_MEMORY, weights: this.#weights });
  load = () => ({
    busySlots: 0,
    waiting: 0,
    work: NO_WORK,
    hops: null,
    measured: NOTHING_MEASURED,
    rates: NO_RATES,
    tokens: NO_TOKENS,
    hopMs: [],
    microBatchesUnderWay: 0,
  });
  onChecked: (isHealed: boolean) => void = () => {};

  async check(isHealed: boolean): Promise<void> {
    this.onChecked(isHealed);
  }

  async close(reason: ExoError, keep: boolean): Promise<void> {
    this.closedBy.push(reason);
    this.keptBy.push(keep);
  }

  onBroken(listener: (error: ExoError) => void): void {
    this.#listeners.push(listener);
  }

  break(): void {
    for (const listener of this.#listeners) listener(new ExoError("stage_lost", "A node left."));
  }
}
