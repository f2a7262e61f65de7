import { ExoError } from "../core/errors.js";
import type { GgufScalar, GgufValue } from "./gguf-header.js";

/** Typed reading of a header's metadata; keys of the architecture are given without its prefix. */
export class GgufMetadata {
  readonly architecture: string;
  readonly #values: ReadonlyMap<string, GgufValue>;
  readonly #label: string;

  constructor(values: ReadonlyMap<string, GgufValue>, label: string) {
    this.#values = values;
    this.#label = label;
    this.architecture = this.text("general.architecture") ?? this.#missing("general.architecture");
  }

  #missing(key: string): never {
    throw new ExoError("invalid_model", `${this.#label} cannot be used as a model: its metadata lacks "${key}".`);
  }

  #own(key: string): string {
    return `${this.architecture}.${key}`;
  }

  text(key: string): string | null {
    const value = this.#values.get(key);
    return typeof value === "string" ? value : null;
  }

  number(key: string): number | null {
    const value = this.#values.get(key);
    return typeof value === "number" ? value : null;
  }

  /** Of the architecture. */
  flag(key: string, fallback: boolean): boolean {
    const value = this.#values.get(this.#own(key));
    return typeof value === "boolean" ? value : fallback;
  }

  /** A size of the architecture that every model has; a list gives its largest. */
  requiredSize(key: string): number {
    const found = this.#sizes(this.#own(key));
    if (found !== null) return Math.max(0, ...found);
    if (!this.#values.has(this.#own(key))) this.#missing(this.#own(key));
    const message = `${this.#label} cannot be used as a model: "${this.#own(key)}" is not a size.`;
    throw new ExoError("invalid_model", message);
  }

  /** The same, where a model may lack it. */
  size(key: string, fallback: number): number {
    const found = this.#sizes(this.#own(key));
    return found === null ? fallback : Math.max(0, ...found);
  }

  /** A size for each layer, where the file may hold one number for all or a list. */
  sizePerLayer(key: string, layers: number, fallback: readonly number[]): readonly number[] {
    const found = this.#sizes(this.#own(key));
    if (found === null) return fallback;
    return Array.from({ length: layers }, (_, layer) => found[found.length === 1 ? 0 : layer] ?? 0);
  }

  /** Length of a list, e.g. of the vocabulary. */
  length(key: string): number {
    const value = this.#values.get(key);
    return typeof value === "object" ? value.length : 0;
  }

  /** One or more whole numbers of at least 0, or `null`. */
  #sizes(key: string): readonly number[] | null {
    const value = this.#values.get(key);
    if (value === undefined) return null;
    const list: readonly GgufScalar[] = typeof value === "object" ? (value.values ?? []) : [value];
    const sizes = list.map(Number);
    return sizes.length > 0 && sizes.every((size) => Number.isSafeInteger(size) && size >= 0) ? sizes : null;
  }
}
