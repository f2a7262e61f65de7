import { stat } from "node:fs/promises";
import { join } from "node:path";
import { BoundedMap } from "../core/bounded-map.js";
import type { SamplingOptions } from "../core/inference.js";
import { catalogueEntry } from "./catalogue.js";
import { type GgufValue, readGgufHeader } from "./gguf-header.js";
import { type GgufInfo, readGgufInfo } from "./gguf-info.js";
import type { CacheEntry } from "./model-cache.js";
import { parseModelSpec } from "./spec.js";

/** What the files of a model say of it. */
export interface ModelDescription {
  readonly info: GgufInfo;
  /** Everything that the first file's header holds. */
  readonly metadata: ReadonlyMap<string, GgufValue>;
  /** Of the first file, in hex; `null` where it was not computed. */
  readonly sha256: string | null;
  readonly modified: Date;
  /** Sampling that suits it; empty when nothing is known. */
  readonly defaults: SamplingOptions;
  /** SPDX name, or `null` when unknown. */
  readonly licence: string | null;
}

type Header = Pick<ModelDescription, "info" | "metadata">;

/** A header of a model with a large vocabulary takes some ten megabytes. */
const MOST_HEADERS = 32;

/** Describes models whose first file, or its header, is on this machine. Headers are read once, for some are large. */
export class ModelDescriptions {
  readonly #store: { cached(name: string): Promise<CacheEntry | null> };
  readonly #headers = new BoundedMap<string, { readonly version: string; readonly header: Promise<Header> }>(
    MOST_HEADERS,
  );

  constructor(store: { cached(name: string): Promise<CacheEntry | null> }) {
    this.#store = store;
  }

  /** By id, spec or path. `null` when it is not here, or cannot be read. */
  async find(name: string): Promise<ModelDescription | null> {
    const entry = await this.#store.cached(name);
    const path = entry === null ? pathOf(name) : firstFile(entry);
    if (path === null) return null;
    const known = catalogueEntry(entry?.manifest.id ?? name);
    try {
      const { size, mtime } = await stat(path);
      const header = await this.#header(path, `${size} ${mtime.getTime()}`);
      const sha256 = entry?.complete === true ? (entry.manifest.files[0]?.sha256 ?? null) : null;
      return { ...header, sha256, modified: mtime, defaults: known?.defaults ?? {}, licence: known?.licence ?? null };
    } catch {
      return null;
    }
  }

  #header(path: string, version: string): Promise<Header> {
    const known = this.#headers.get(path);
    if (known?.version === version) return known.header;
    const header = readHeader(path);
    this.#headers.set(path, { version, header });
    return header;
  }
}

async function readHeader(path: string): Promise<Header> {
  const [info, { header }] = await Promise.all([readGgufInfo(path), readGgufHeader(path)]);
  return { info, metadata: header.metadata };
}

function firstFile({ directory, manifest, complete, partial }: CacheEntry): string | null {
  const name = complete ? manifest.files[0]?.name : [...partial.keys()].sort()[0];
  return name === undefined ? null : join(directory, name);
}

/** Only a path says where a file is that the cache does not hold. */
function pathOf(name: string): string | null {
  try {
    const spec = parseModelSpec(name);
    return spec.kind === "path" ? spec.path : null;
  } catch {
    return null;
  }
}
