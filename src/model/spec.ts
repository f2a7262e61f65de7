import { homedir } from "node:os";
import { basename, join, resolve } from "node:path";
import { ExoError } from "../core/errors.js";
import { formatHfSpec, type HfSpec, hfFileName, parseHfSpec } from "./hub/hf-spec.js";

/** A file in a package of the npm registry. */
export interface NpmFile {
  readonly name: string;
  readonly version: string;
  /** Path inside the package. */
  readonly file: string;
}

/** Where a model comes from. A `name` is looked up in the catalogue, then among the cached models. */
export type ModelSpec =
  | { readonly kind: "path"; readonly path: string }
  | { readonly kind: "url"; readonly url: URL }
  | { readonly kind: "npm"; readonly parts: readonly NpmFile[] }
  | HfSpec
  | { readonly kind: "name"; readonly name: string };

const NPM_FILE =
  /^npm:(?<name>(?:@[a-z0-9~-][\w.~-]*\/[a-z0-9~-][\w.~-]*|[a-z0-9~][\w.~-]*))@(?<version>\d+\.\d+\.\d+[\w.+-]*)\/(?<file>.+)$/;
const NAME = /^[A-Za-z0-9][A-Za-z0-9._:-]*$/;

function refuse(text: string, expected: string): ExoError {
  return new ExoError("invalid_argument", `Expected ${expected} as a model, received "${text}".`, { param: "model" });
}

/** `npm:pkg@1.2.3/file`, several joined with `+`. A `+` of a version stays: only one before `npm:` separates. */
function parseNpm(text: string): ModelSpec {
  const parts = text.split(/\+(?=npm:)/).map((part) => {
    const { name, version, file } = NPM_FILE.exec(part)?.groups ?? {};
    if (name === undefined || version === undefined || file === undefined || file.split("/").includes("..")) {
      throw refuse(text, '"npm:package@1.2.3/file", or several of them joined with "+",');
    }
    return { name, version, file };
  });
  return { kind: "npm", parts };
}

function parseHf(text: string): ModelSpec {
  const spec = parseHfSpec(text);
  if (spec === null) throw refuse(text, '"hf:organisation/repository:QUANT" or "hf:organisation/repository/file.gguf"');
  return spec;
}

function parseUrl(text: string): ModelSpec {
  if (!URL.canParse(text)) throw refuse(text, "a complete URL");
  const url = new URL(text);
  url.hash = "";
  if (url.username !== "" || url.password !== "") throw refuse(url.host, "a URL without user name and password");
  return { kind: "url", url };
}

/** Parses what a user gives as a model. Does not look whether it exists. */
export function parseModelSpec(text: string): ModelSpec {
  const spec = text.trim();
  if (spec.startsWith("npm:")) return parseNpm(spec);
  if (spec.startsWith("hf:")) return parseHf(spec);
  if (/^https?:/i.test(spec)) return parseUrl(spec);
  if (spec.startsWith("~/")) return { kind: "path", path: join(homedir(), spec.slice(2)) };
  if (/[/\\]/.test(spec) || /\.gguf$/i.test(spec)) return { kind: "path", path: resolve(spec) };
  if (NAME.test(spec)) return { kind: "name", name: spec };
  throw refuse(
    text,
    'a path, an "https://…", "hf:organisation/repository" or "npm:package@version/file" spec, or the name of a known model',
  );
}

/** The spelling that every node understands alike; the cache knows models by it. */
export function formatModelSpec(spec: ModelSpec): string {
  switch (spec.kind) {
    case "path":
      return spec.path;
    case "url":
      return spec.url.href;
    case "npm":
      return spec.parts.map(({ name, version, file }) => `npm:${name}@${version}/${file}`).join("+");
    case "hf":
      return formatHfSpec(spec);
    case "name":
      return spec.name;
  }
}

/** As the cache spells it; what is no spec stays as it is. */
export function canonicalSpec(text: string): string {
  try {
    return formatModelSpec(parseModelSpec(text));
  } catch {
    return text;
  }
}

/** Name of the file to store, e.g. `model.gguf`. */
export function fileNameOf(spec: ModelSpec): string {
  switch (spec.kind) {
    case "path":
      return basename(spec.path);
    case "url":
      return safeName(decoded(spec.url.pathname)) || "model.gguf";
    case "npm":
      return `${npmName(spec.parts[0])}.gguf`;
    case "hf":
      return safeName(hfFileName(spec));
    case "name":
      return `${spec.name}.gguf`;
  }
}

/** The name by which the API knows a model: its file's, without extension and part number. */
export function modelIdOf(spec: ModelSpec): string {
  const stem = fileNameOf(spec).replace(/\.gguf$/i, "");
  return safeName(stem.replace(/-\d{5}-of-\d{5}$/, "")) || "model";
}

function npmName(part: NpmFile | undefined): string {
  if (part === undefined) return "model";
  const file = safeName(part.file).replace(/\.gguf$/i, "");
  const isTelling = /\.gguf$/i.test(part.file) && file.toLowerCase() !== "model";
  return isTelling ? file : safeName(part.name);
}

/** A path may hold a `%` that begins no escape; it is then taken as it is. */
function decoded(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}

/** The last part of a path, of characters that every file system takes. */
export function safeName(path: string): string {
  return basename(path).replaceAll(/[^A-Za-z0-9._-]+/g, "-");
}
