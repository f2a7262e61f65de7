import { createHash, randomUUID } from "node:crypto";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { ExoError } from "../core/errors.js";

/**
 * An id that stays the same when the node is started again: a random number kept in the configuration directory, and
 * the gRPC port, so that several nodes of one user on one machine differ. A node that takes any free port (0) is a new
 * one each time.
 */
export async function loadNodeId(configDir: string, grpcPort: number): Promise<string> {
  if (grpcPort === 0) return randomUUID().replaceAll("-", "").slice(0, 16);
  const machine = await machineId(join(configDir, "machine-id"));
  return createHash("sha256").update(`${machine}:${grpcPort}`).digest("hex").slice(0, 16);
}

async function machineId(file: string): Promise<string> {
  try {
    await mkdir(join(file, ".."), { recursive: true });
    // `wx` decides who writes it when two nodes start for the first time together.
    await writeFile(file, `${randomUUID()}\n`, { mode: 0o600, flag: "wx" }).catch((thrown: NodeJS.ErrnoException) => {
      if (thrown.code !== "EEXIST") throw thrown;
    });
    return (await readFile(file, "utf8")).trim();
  } catch (thrown) {
    throw new ExoError(
      "internal",
      `The node's identity cannot be kept in ${file}: ${thrown instanceof Error ? thrown.message : String(thrown)}. ` +
        "Make the directory writable or set EXO_NATIVE_HOME to one that is.",
      { cause: thrown },
    );
  }
}
