import { basename } from "node:path";

/** A model on the Hugging Face hub, or on a mirror of it. */
export interface HfSpec {
  readonly kind: "hf";
  /** `organisation/name`. */
  readonly repo: string;
  /** Branch, tag or commit; `null`: the hub's default. */
  readonly revision: string | null;
  /** Path of a GGUF file in the repository; `null`: chosen by its quantisation. */
  readonly file: string | null;
  /** As the file's name spells it, in capitals; `null`: chosen by preference. */
  readonly quant: string | null;
}

const SPEC =
  /^hf:(?<repo>[A-Za-z0-9][\w.-]{0,95}\/[A-Za-z0-9][\w.-]{0,95})(?:\/(?<file>[^@:?#\\]+\.gguf))?(?:@(?<revision>[\w./-]{1,128}))?(?::(?<quant>[A-Za-z0-9][\w.-]{0,63}))?$/i;

/** `hf:org/repo[@revision][:QUANT]` or `hf:org/repo/path/file.gguf[@revision]`; `null` when it is neither. */
export function parseHfSpec(text: string): HfSpec | null {
  const groups = SPEC.exec(text)?.groups;
  if (groups?.repo === undefined) return null;
  const { repo, file = null, revision = null, quant = null } = groups;
  if (file !== null && quant !== null) return null;
  if (![file ?? "", revision ?? "", repo].every(hasPlainSegments)) return null;
  return { kind: "hf", repo, revision, file, quant: quant?.toUpperCase() ?? null };
}

/** Neither empty ones nor those that lead elsewhere; blanks and control characters are not in names of models. */
function hasPlainSegments(path: string): boolean {
  if (path === "") return true;
  return path.split("/").every((part) => part !== "" && part !== "." && part !== ".." && /^[\x21-\x7e]+$/.test(part));
}

export function formatHfSpec({ repo, file, revision, quant }: HfSpec): string {
  const path = file === null ? "" : `/${file}`;
  return `hf:${repo}${path}${revision === null ? "" : `@${revision}`}${quant === null ? "" : `:${quant}`}`;
}

/** Name of the file as far as the spec tells it: `org/Some-Model-GGUF:Q4_K_M` → `Some-Model-Q4_K_M.gguf`. */
export function hfFileName({ repo, file, quant }: HfSpec): string {
  if (file !== null) return basename(file);
  const model = (repo.split("/")[1] ?? repo).replace(/-gguf$/i, "");
  return `${model}${quant === null ? "" : `-${quant}`}.gguf`;
}

const COMMIT = /^[0-9a-f]{40}$/;

/** Whether it names one file of one commit, which is the same for ever and everywhere. */
export function isPinned({ file, revision }: HfSpec): boolean {
  return file !== null && revision !== null && COMMIT.test(revision);
}
