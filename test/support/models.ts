import { existsSync } from "node:fs";
import { join } from "node:path";
import { packageRoot } from "../../src/core/package.js";

const SHARED = join(packageRoot(), "..", "shared", "models");

/** A real small model that may lie beside the checkout, or `null`. */
export function sharedModel(file: string): string | null {
  const path = join(SHARED, file);
  return existsSync(path) ? path : null;
}
