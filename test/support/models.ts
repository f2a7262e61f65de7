import { existsSync } from "node:fs";
import { join } from "node:path";
import { packageRoot } from "../../src/core/package.js";
import { writeTinyModel } from "./tiny-gguf.js";

const SHARED = join(packageRoot(), "..", "shared", "models");

/** A real small model that may lie beside the checkout, or `null`. */
export function sharedModel(file: string): string | null {
  const path = join(SHARED, file);
  return existsSync(path) ? path : null;
}

/** A random llama of four layers that is written for the test process and goes with it. */
export function tinyModel(): string {
  const { path, remove } = writeTinyModel({ layers: 4 });
  process.once("exit", remove);
  return path;
}
