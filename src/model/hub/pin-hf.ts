import { formatByteSize } from "../../config/byte-size.js";
import { ExoError } from "../../core/errors.js";
import type { PinnedFile, PinnedSource } from "../pinned-source.js";
import { safeName } from "../spec.js";
import { matchingChoices, partsOf, type QuantChoice, quantChoices } from "./choose-quant.js";
import { formatHfSpec, type HfSpec } from "./hf-spec.js";
import type { HubClient, HubFile } from "./hub-client.js";

/** Most choices that an error lists. */
const MOST_LISTED = 40;

/** Asks the hub which files of which commit a spec stands for. */
export async function pinHfSpec(spec: HfSpec, hub: HubClient, signal: AbortSignal): Promise<PinnedSource> {
  return spec.file === null ? pinByQuant(spec, hub, signal) : pinFile(spec, spec.file, hub, signal);
}

async function pinFile(spec: HfSpec, path: string, hub: HubClient, signal: AbortSignal): Promise<PinnedSource> {
  const paths = partsOf(path);
  if (paths[0] !== path) {
    throw new ExoError("invalid_argument", `${path} is a later part of a model; name its first part, ${paths[0]}.`, {
      param: "model",
    });
  }
  const first = await hub.fileAt(spec.repo, spec.revision, path, signal);
  const revision = first.commit ?? spec.revision ?? "main";
  const further = await Promise.all(paths.slice(1).map((part) => hub.fileAt(spec.repo, revision, part, signal)));
  return pinned(spec, revision, [first, ...further], hub);
}

async function pinByQuant(spec: HfSpec, hub: HubClient, signal: AbortSignal): Promise<PinnedSource> {
  const commit = await hub.commitOf(spec.repo, spec.revision, signal);
  const files = new Map((await hub.filesOf(spec.repo, commit, signal)).map((file) => [file.path, file]));
  const choices = quantChoices([...files.keys()]);
  const [choice, another] = matchingChoices(choices, spec.quant);
  if (choice === undefined || another !== undefined) throw noChoice(spec, choices, files);
  const chosen = choice.files.map((path) => files.get(path)).filter((file) => file !== undefined);
  return pinned(spec, commit, chosen, hub);
}

/** What a spec of one file of one commit tells by itself. */
export function pinWithoutHub(spec: HfSpec, hub: HubClient): PinnedSource | null {
  if (spec.file === null || spec.revision === null) return null;
  const files = partsOf(spec.file).map((path) => ({ path, bytes: null, sha256: null }));
  return pinned(spec, spec.revision, files, hub);
}

function pinned({ repo }: HfSpec, revision: string, files: readonly HubFile[], hub: HubClient): PinnedSource {
  const [first] = files;
  const spec = formatHfSpec({ kind: "hf", repo, revision, file: first?.path ?? null, quant: null });
  return { spec, files: files.map((file) => pinnedFile(repo, revision, file, hub)) };
}

function pinnedFile(repo: string, revision: string, { path, bytes, sha256 }: HubFile, hub: HubClient): PinnedFile {
  return { name: safeName(path), url: hub.fileUrl(repo, revision, path), bytes, sha256 };
}

function noChoice(spec: HfSpec, choices: readonly QuantChoice[], files: ReadonlyMap<string, HubFile>): ExoError {
  if (choices.length === 0) {
    return new ExoError(
      "model_not_found",
      `${spec.repo} on the hub has no GGUF files. Look for a repository whose name ends in -GGUF.`,
      {
        param: "model",
      },
    );
  }
  const same = matchingChoices(choices, spec.quant);
  const what =
    same.length === 0
      ? `${spec.repo} has no ${spec.quant}. It has`
      : `${spec.repo} has more than one model${same[0]?.quant === "" ? "" : ` in ${same[0]?.quant}`}; name the file, as in hf:${spec.repo}/${same[0]?.files[0]}. It has`;
  return new ExoError(
    "invalid_argument",
    `${what} ${listed(same.length === 0 ? choices : same, files, same.length > 0)}.`,
    {
      param: "model",
    },
  );
}

function listed(choices: readonly QuantChoice[], files: ReadonlyMap<string, HubFile>, byFile: boolean): string {
  const names = choices.slice(0, MOST_LISTED).map((choice) => {
    const bytes = choice.files.reduce((sum, path) => sum + (files.get(path)?.bytes ?? 0), 0);
    const name = byFile || choice.quant === "" ? choice.files[0] : choice.quant;
    return bytes === 0 ? name : `${name} (${formatByteSize(bytes)})`;
  });
  const more = choices.length - names.length;
  return more > 0 ? `${names.join(", ")} and ${more} more` : names.join(", ");
}
