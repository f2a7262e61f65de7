import { CATALOGUE, catalogueEntry } from "../model/catalogue.js";
import { formatModelSpec, parseModelSpec } from "../model/spec.js";

/** A model that could be loaded. */
export interface KnownModel {
  /** Its name in the API. */
  readonly id: string;
  readonly spec: string;
  readonly bytes: number;
}

/** The one spelling under which every node knows a model; throws `invalid_argument` for what can be no model. */
export function canonicalSpec(text: string): string {
  const known = catalogueEntry(text);
  return known === null ? formatModelSpec(parseModelSpec(text)) : known.alias;
}

export interface KnownModelsOptions {
  /** What this node holds, whole or in part. */
  readonly own: () => readonly KnownModel[];
  /** What other nodes say that they hold. */
  readonly others: () => readonly KnownModel[];
}

/** The models that can be found by name: those of this node, of the catalogue, and of other nodes, in this order. */
export class KnownModels {
  readonly #options: KnownModelsOptions;

  constructor(options: KnownModelsOptions) {
    this.#options = options;
  }

  list(): readonly KnownModel[] {
    const { own, others } = this.#options;
    const listed = CATALOGUE.map(({ alias, bytes }) => ({ id: alias, spec: alias, bytes }));
    const all = [...own().flatMap(withCanonicalSpec), ...listed, ...others().flatMap(withCanonicalSpec)];
    return all.filter((model, index) => all.findIndex(({ spec }) => spec === model.spec) === index);
  }

  /** The spec of a model that is known by this name or spec; `null`: none is. */
  find(name: string): string | null {
    const spec = specShaped(name);
    const found = this.list().find((model) => model.id === name || model.spec === name || model.spec === spec);
    return found?.spec ?? null;
  }
}

/** A peer may say anything. */
function withCanonicalSpec({ id, spec, bytes }: KnownModel): readonly KnownModel[] {
  try {
    return [{ id, spec: canonicalSpec(spec), bytes }];
  } catch {
    return [];
  }
}

/** The canonical spec where `name` is a path or an address; a mere name is not, nor is what can be no model. */
export function specShaped(name: string): string | null {
  if (!/[/\\:]|\.gguf$/i.test(name)) return null;
  try {
    return canonicalSpec(name);
  } catch {
    return null;
  }
}
