import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadConfig } from "../../src/config/load.js";
import { packageRoot } from "../../src/core/package.js";
import { ModelStore } from "../../src/model/model-store.js";
import { type TinyModelOptions, writeTinyModel } from "./tiny-gguf.js";

const SHARED = join(packageRoot(), "..", "shared", "models");
const DEMO = "tinyllama";

/** A real small model that may lie beside the checkout, or `null`. */
export function sharedModel(file: string): string | null {
  const path = join(SHARED, file);
  return existsSync(path) ? path : null;
}

/** Any GGUF, written for the test process; it goes with it. */
export function writtenModel(name: string, bytes: Buffer): string {
  const directory = mkdtempSync(join(tmpdir(), "exo-native-model-"));
  process.once("exit", () => rmSync(directory, { recursive: true, force: true }));
  const path = join(directory, `${name}.gguf`);
  writeFileSync(path, bytes);
  return path;
}

/** A random llama of four layers that is written for the test process and goes with it. */
export function tinyModel(options: TinyModelOptions = {}): string {
  const { path, remove } = writeTinyModel({ layers: 4, ...options });
  process.once("exit", remove);
  return path;
}

/** The demo model if `npm start` has fetched it already, or, on a CI machine that can, now; else `null`. */
export async function demoModel(): Promise<string | null> {
  const { paths } = await loadConfig({ flags: {} });
  const store = new ModelStore({ modelsDir: paths.modelsDir });
  const cached = (await store.list()).some((model) => model.id === DEMO);
  if (!cached && process.env.CI === undefined) return null;
  return store.resolve(DEMO).then(
    (model) => model.path,
    () => null,
  );
}
