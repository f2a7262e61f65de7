import { existsSync, statSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { join, relative, sep } from "node:path";
import { run } from "node:test";
import { spec } from "node:test/reporters";
import { packageRoot } from "../src/core/package.js";

/** A file that takes longer hangs. Milliseconds. */
const FILE_TIMEOUT = 10 * 60_000;

const ROOT = packageRoot();
const COMPILED = join(ROOT, "dist", "test");

interface TestFile {
  /** `test/unit/x.test.ts` */
  readonly source: string;
  readonly compiled: string;
}

/** Every compiled test whose source is still there; what was renamed or removed leaves its output behind. */
async function findTests(): Promise<readonly TestFile[]> {
  const names = await readdir(COMPILED, { recursive: true });
  return names
    .filter((name) => name.endsWith(".test.js"))
    .map((name) => join(COMPILED, name))
    .map((compiled) => ({ compiled, source: sourceOf(compiled) }))
    .filter(({ source }) => existsSync(join(ROOT, source)))
    .sort((a, b) => (a.source < b.source ? -1 : 1));
}

function sourceOf(compiled: string): string {
  return relative(join(ROOT, "dist"), compiled).split(sep).join("/").replace(/\.js$/, ".ts");
}

/** Files whose path holds one of the words; all without words. */
function chosen(files: readonly TestFile[], words: readonly string[]): readonly TestFile[] {
  return words.length === 0 ? files : files.filter(({ source }) => words.some((word) => source.includes(word)));
}

function isStale({ source, compiled }: TestFile): boolean {
  return statSync(join(ROOT, source)).mtimeMs > statSync(compiled).mtimeMs;
}

/** Native code computes with threads of its own, so files run beside each other only where there is room. */
function concurrency(): number {
  return Math.max(1, Math.floor(availableParallelism() / 4));
}

async function main(words: readonly string[]): Promise<void> {
  const files = chosen(await findTests(), words);
  if (files.length === 0) {
    console.error(`No test file's path holds ${words.join(" or ") || "anything"}. "npm run build:ts" compiles them.`);
    process.exit(1);
  }
  const stale = files.filter(isStale);
  if (stale.length > 0) {
    const names = stale.map(({ source }) => source).join(", ");
    console.error(`Newer than their compiled form: ${names}. Run "npm run build:ts" first.`);
    process.exit(1);
  }
  const stream = run({
    files: files.map(({ compiled }) => compiled),
    concurrency: concurrency(),
    timeout: FILE_TIMEOUT,
  });
  stream.on("test:fail", () => {
    process.exitCode = 1;
  });
  stream.compose(new spec()).pipe(process.stdout);
}

await main(process.argv.slice(2));
