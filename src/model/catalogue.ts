import { readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import type { SamplingOptions } from "../core/inference.js";
import { packageRoot } from "../core/package.js";

const sampling = z.strictObject({
  temperature: z.number().min(0).exactOptional(),
  topP: z.number().min(0).max(1).exactOptional(),
  topK: z.int().min(0).exactOptional(),
  minP: z.number().min(0).max(1).exactOptional(),
  repeatPenalty: z.number().positive().exactOptional(),
});

/** A model known by a short name: an entry of `catalogue.json`. */
const entrySchema = z.strictObject({
  alias: z.string().regex(/^[a-z0-9][a-z0-9.-]*$/),
  description: z.string().min(1),
  /** Where it comes from, as a spec. */
  source: z.string(),
  /** Of the file to store, where the source does not name it. */
  fileName: z.string().nullable().default(null),
  /** As the source's page tells it, which mostly rounds. */
  bytes: z.int().positive(),
  /** Of sources that do not tell it themselves. */
  sha256: z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .nullable()
    .default(null),
  /** SPDX name, or the hub's name for a licence that has none. */
  licence: z.string().min(1),
  /** Sampling that suits it, as its makers say; empty where they say nothing. */
  defaults: sampling,
  /** What the source has beside, and how large. */
  quants: z.record(z.string(), z.int().positive()),
  /** Where sizes and licence were read. */
  page: z.url().nullable(),
});

export interface CatalogueEntry extends Omit<z.infer<typeof entrySchema>, "defaults"> {
  readonly defaults: SamplingOptions;
}

export const CATALOGUE: readonly CatalogueEntry[] = readCatalogue();

function readCatalogue(): readonly CatalogueEntry[] {
  const text = readFileSync(join(packageRoot(), "src", "model", "catalogue.json"), "utf8");
  return z.object({ models: z.array(entrySchema) }).parse(JSON.parse(text)).models;
}

export function catalogueEntry(name: string, entries: readonly CatalogueEntry[] = CATALOGUE): CatalogueEntry | null {
  return entries.find(({ alias, source }) => alias === name || source === name) ?? null;
}
