import { computed, effect, type ReadonlySignal, type Signal, signal } from "@preact/signals";
import type { Kept } from "../app/kept.js";
import {
  DEFAULT_PARAMETERS,
  type ParameterForm,
  type ParameterName,
  parseParameters,
  type ReadParameters,
  readParameters,
} from "./parameters.js";

const KEY = "exo-native.parameters";

/** The parameter panel's fields, remembered in this browser. */
export class ParameterStore {
  readonly #form: Signal<ParameterForm>;
  readonly read: ReadonlySignal<ReadParameters>;

  constructor(kept: Kept) {
    this.#form = signal(parseParameters(kept.readJson(KEY)));
    this.read = computed(() => readParameters(this.#form.value));
    effect(() => {
      kept.write(KEY, JSON.stringify(this.#form.value));
    });
  }

  get form(): ReadonlySignal<ParameterForm> {
    return this.#form;
  }

  set(name: ParameterName, text: string): void {
    this.#form.value = { ...this.#form.value, [name]: text };
  }

  reset(): void {
    this.#form.value = DEFAULT_PARAMETERS;
  }

  /** Whether a field differs from what the page began with. */
  get changed(): boolean {
    return JSON.stringify(this.#form.value) !== JSON.stringify(DEFAULT_PARAMETERS);
  }
}
