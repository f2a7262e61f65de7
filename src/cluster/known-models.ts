import { ExoError } from "../core/errors.js";
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
    const all = this.#bySource().flat();
    return all.filter((model, index) => all.findIndex(({ spec }) => spec === model.spec) === index);
  }

  /**
   * The spec of a model that is known by this name or spec; `null`: none is. Of several that have the name the one that
   * is loaded is meant; where none is, `invalid_argument` is thrown rather than one of them taken.
   */
  find(name: string, isLoaded: (spec: string) => boolean = () => false): string | null {
    const spec = specShaped(name);
    for (const models of this.#bySource()) {
      const meant = models.find((model) => model.spec === name || model.spec === spec);
      if (meant !== undefined) return meant.spec;
      const named = new Set(models.filter(({ id }) => id === name).map((model) => model.spec));
      const [first] = named;
      if (first !== undefined) return named.size === 1 ? first : theLoaded(name, [...named], isLoaded);
    }
    return null;
  }

  #bySource(): readonly (readonly KnownModel[])[] {
    const { own, others } = this.#options;
    const listed = CATALOGUE.map(({ alias, bytes }) => ({ id: alias, spec: alias, bytes }));
    return [own().flatMap(withCanonicalSpec), listed, others().flatMap(withCanonicalSpec)];
  }
}

function theLoaded(name: string, specs: readonly string[], isLoaded: (spec: string) => boolean): string {
  const loaded = specs.filter(isLoaded);
  const [only] = loaded;
  if (only !== undefined && loaded.length === 1) return only;
  throw ambiguousName(name, specs);
}

export function ambiguousName(name: string, specs: Iterable<string>): ExoError {
  const message = `${JSON.stringify(name)} is the name of ${[...specs].join(" and ")}; say which one, by its whole spec.`;
  return new ExoError("invalid_argument", message, { param: "model" });
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
