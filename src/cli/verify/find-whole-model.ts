import { existsSync } from "node:fs";
import { ExoError } from "../../core/errors.js";
import type { ModelStore } from "../../model/model-store.js";
import type { ResolvedModel } from "../../model/resolved-model.js";
import { parseModelSpec } from "../../model/spec.js";
import type { BenchTarget } from "../bench/bench-target.js";

/**
 * The file to compare with, from what is on this machine: the one the ring was made of, or the one that `against` names.
 * Nothing is fetched. Refuses a file that cannot be the same model, or, of another name, not even a like one.
 */
export async function findWholeModel(
  { model, ring }: Pick<BenchTarget, "model" | "ring">,
  against: string | null,
  store: Pick<ModelStore, "list" | "resolve">,
): Promise<ResolvedModel> {
  const name = against ?? ring.spec ?? model.id;
  const found = await resolveHere(name, store);
  if (found === null) throw notHere(name, against !== null);
  if (against === null && model.bytes !== null && model.bytes !== found.bytes) {
    throw new ExoError(
      "invalid_argument",
      `${found.path} is not the file that the ring was made of: it has ${found.bytes} bytes, that one ${model.bytes}. ` +
        "Name the right one with --against.",
      { param: "against" },
    );
  }
  const size = found.info.vocabularySize;
  if (model.vocabularySize !== null && model.vocabularySize !== size) {
    throw new ExoError(
      "invalid_argument",
      `${found.id} has ${size} tokens and ${model.id} has ${model.vocabularySize}: answers of models with different ` +
        "vocabularies cannot be compared.",
      { param: "against" },
    );
  }
  return found;
}

async function resolveHere(name: string, store: Pick<ModelStore, "list" | "resolve">): Promise<ResolvedModel | null> {
  const spec = parseModelSpec(name);
  if (spec.kind === "path") return existsSync(spec.path) ? store.resolve(name) : null;
  const cached = (await store.list()).find(({ id, spec: text }) => id === name || text === name);
  return cached === undefined || cached.path === null ? null : store.resolve(cached.spec);
}

function notHere(name: string, wasNamed: boolean): ExoError {
  const other = wasNamed ? "" : ", or name a file of the same model with --against";
  return new ExoError(
    "model_not_found",
    `Comparing needs the whole model on this machine, and ${name} is not here; fetch it with "exo-native models pull"${other}.`,
  );
}
