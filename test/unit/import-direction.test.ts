import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve, sep } from "node:path";
import { describe, test } from "node:test";
import { packageRoot } from "../../src/core/package.js";

/** A folder imports only from folders before it. Three files beside the folders say what a node is, put everything together, and name what programs may use. */
const ORDER = [
  "core",
  "config",
  "model",
  "native",
  "planning",
  "transport",
  "discovery",
  "cluster",
  "runtime",
  "telemetry",
  "api",
  "web",
  "exo-node.ts",
  "node.ts",
  "cli",
  "index.ts",
];

/** Who alone may import what. */
const OWNERS: readonly { readonly what: string; readonly module: RegExp; readonly owner: string }[] = [
  { what: "gRPC", module: /^@grpc\//, owner: "transport/" },
  { what: "an HTTP server", module: /^(?:@?fastify\b|node:https?$)/, owner: "api/" },
  { what: "a way to open native code", module: /^node:module$|\.node$/, owner: "native/load.ts" },
];

const MOST_LINES = 500;

const SRC = join(packageRoot(), "src");

interface SourceFile {
  /** Relative to `src/`, with slashes. */
  readonly path: string;
  readonly text: string;
}

const FILES: readonly SourceFile[] = readdirSync(SRC, { recursive: true, encoding: "utf8" })
  .map((name) => name.split(sep).join("/"))
  .filter((path) => path.endsWith(".ts") && !path.startsWith("transport/generated/"))
  .map((path) => ({ path, text: readFileSync(join(SRC, path), "utf8") }));

/** Modules named in `import … from`, `export … from`, `import "…"` and `import("…")`. */
function importsOf({ text }: SourceFile): readonly string[] {
  const code = text.replaceAll(/\/\*[\s\S]*?\*\//g, "").replaceAll(/^\s*\/\/.*$/gm, "");
  const named = code.matchAll(/^\s*(?:import|export)\b[^;"']*?\bfrom\s*["']([^"']+)["']/gm);
  const bare = code.matchAll(/^\s*import\s*["']([^"']+)["']/gm);
  const dynamic = code.matchAll(/\bimport\(\s*["']([^"']+)["']/g);
  return [...named, ...bare, ...dynamic].map((match) => match[1] ?? "");
}

function rank(path: string): number {
  const folder = path.split("/")[0] ?? "";
  return ORDER.indexOf(folder);
}

/** Where a relative import leads, relative to `src/`; `null` for packages and for files outside. */
function target(file: SourceFile, module: string): string | null {
  if (!module.startsWith(".")) return null;
  const path = relative(SRC, resolve(SRC, dirname(file.path), module))
    .split(sep)
    .join("/");
  return path.startsWith("..") ? null : path.replace(/\.js$/, ".ts");
}

describe("the house", () => {
  test("every file of src/ lies in a known folder", () => {
    assert.deepEqual(
      FILES.map(({ path }) => path).filter((path) => rank(path) < 0),
      [],
    );
  });

  test("a folder imports only from folders before it", () => {
    const wrong = FILES.flatMap((file) =>
      importsOf(file)
        .map((module) => target(file, module))
        .filter((path) => path !== null)
        .filter((path) => rank(path) > rank(file.path))
        .map((path) => `${file.path} imports ${path}`),
    );
    assert.deepEqual(wrong, []);
  });

  for (const { what, module: pattern, owner } of OWNERS) {
    test(`only ${owner} imports ${what}`, () => {
      const found = FILES.flatMap((file) =>
        importsOf(file)
          .filter((module) => pattern.test(module) && !isTypeOnly(file, module))
          .map((module) => `${file.path} imports ${module}`),
      );
      assert.deepEqual(
        found.filter((line) => !line.startsWith(owner)),
        [],
      );
      assert.notEqual(found.length, 0, "the owner itself must be found, or this test looks for the wrong thing");
    });
  }

  test("files are named in kebab-case and export by name", () => {
    const names = FILES.map(({ path }) => path).filter(
      (path) => !/^(?:[a-z0-9-]+\/)*[a-z0-9-]+(?:\.d)?\.ts$/.test(path),
    );
    assert.deepEqual(names, []);
    const defaults = FILES.filter(({ text }) => /^\s*export\s+default\b|\bas\s+default\b/m.test(text));
    assert.deepEqual(
      defaults.map(({ path }) => path),
      [],
    );
  });

  test("no catch-all file names", () => {
    const vague = /(?:^|\/)(?:utils?|helpers?|misc|common)\.ts$/;
    assert.deepEqual(
      FILES.map(({ path }) => path).filter((path) => vague.test(path)),
      [],
    );
  });

  test("files are short", (context) => {
    const lengths = FILES.map(({ path, text }) => ({ path, lines: text.split("\n").length }));
    const sorted = lengths.map(({ lines }) => lines).sort((a, b) => a - b);
    const median = sorted[Math.floor(sorted.length / 2)] ?? 0;
    const long = lengths.filter(({ lines }) => lines > 350).map(({ path, lines }) => `${path} (${lines})`);
    context.diagnostic(`${lengths.length} files, median ${median} lines, over 350: ${long.join(", ") || "none"}`);
    assert.ok(median <= 120, `The median is ${median} lines.`);
    assert.deepEqual(
      lengths.filter(({ lines }) => lines > MOST_LINES),
      [],
    );
  });
});

function isTypeOnly({ text }: SourceFile, module: string): boolean {
  const quoted = module.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&");
  return new RegExp(`^import type [^;]*["']${quoted}["']`, "m").test(text);
}
