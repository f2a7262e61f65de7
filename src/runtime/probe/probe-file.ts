import { createReadStream, createWriteStream } from "node:fs";
import { mkdir, mkdtemp, open, readdir, rm, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { ExoError } from "../../core/errors.js";
import { diskError } from "../../model/disk-error.js";
import type { PartHeader, ProbeModel } from "./probe-model.js";
import { probeValues } from "./probe-values.js";

/** A model's files with real headers and holes for weights: as long as the model, a few megabytes on the disk. */
export interface ProbeFile {
  /** The first file. */
  readonly path: string;
  remove(): Promise<void>;
}

const PREFIX = "probe-";
/** No probe takes so long; a directory that is older was left by a process that was killed. */
const FORGOTTEN_MS = 3_600_000;

/** @param layers that are to be computed; see `probeValues` */
export async function writeProbeFile(
  model: ProbeModel,
  layers: ReadonlySet<number>,
  directory: string,
): Promise<ProbeFile> {
  let own: string | null = null;
  const remove = async (): Promise<void> => {
    if (own !== null) await rm(own, { recursive: true, force: true });
  };
  try {
    await mkdir(directory, { recursive: true });
    await removeForgotten(directory);
    own = await mkdtemp(join(directory, PREFIX));
    const paths: string[] = [];
    for (const part of model.parts) paths.push(await writePart(part, own, layers));
    const [path] = paths;
    if (path === undefined) throw new ExoError("internal", "A model without files cannot be measured.");
    return { path, remove };
  } catch (thrown) {
    await remove();
    throw diskError(thrown, own ?? directory) ?? unwritable(directory, thrown);
  }
}

function unwritable(directory: string, thrown: unknown): ExoError {
  const { message } = ExoError.from(thrown);
  return new ExoError("internal", `A file to measure with cannot be made in ${directory}: ${message}.`, {
    cause: thrown,
  });
}

async function writePart(
  { path, header, fileBytes }: PartHeader,
  directory: string,
  layers: ReadonlySet<number>,
): Promise<string> {
  const destination = join(directory, basename(path));
  await pipeline(createReadStream(path, { end: header.dataOffset - 1 }), createWriteStream(destination));
  const file = await open(destination, "r+");
  try {
    await file.truncate(fileBytes);
    for (const tensor of header.tensors) {
      const values = probeValues(tensor, layers);
      if (values !== null) await file.write(values, 0, values.byteLength, tensor.offset);
    }
  } finally {
    await file.close();
  }
  return destination;
}

async function removeForgotten(directory: string): Promise<void> {
  const names = (await readdir(directory)).filter((name) => name.startsWith(PREFIX));
  for (const name of names) {
    const path = join(directory, name);
    // Another node of this machine may remove it meanwhile.
    const found = await stat(path).catch(() => null);
    if (found !== null && Date.now() - found.mtimeMs > FORGOTTEN_MS) await rm(path, { recursive: true, force: true });
  }
}
