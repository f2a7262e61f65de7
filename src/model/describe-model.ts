import type { CatalogueEntry } from "./catalogue.js";
import { readGgufInfo } from "./gguf-info.js";
import type { ResolvedModel } from "./resolved-model.js";
import { modelHash } from "./sparse/model-hash.js";

/** Reads what the files of a model say. Throws as `readGgufInfo` does. */
export async function describeModel(
  model: { readonly id: string; readonly spec: string; readonly path: string },
  known: CatalogueEntry | null,
): Promise<ResolvedModel> {
  const info = await readGgufInfo(model.path);
  const bytes = info.files.reduce((sum, file) => sum + file.bytes, 0);
  const hash = await modelHash(info.files.map(({ path }) => path));
  return { ...model, bytes, info, hash, defaults: known?.defaults ?? {}, licence: known?.licence ?? null };
}
