import { createHash, randomUUID } from "node:crypto";
import { link, mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
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

/** 16 bytes in hexadecimal, with or without dashes. */
const MACHINE_ID = /^[0-9a-f-]{32,36}$/;

async function machineId(file: string): Promise<string> {
  try {
    await mkdir(dirname(file), { recursive: true });
    const kept = await readFile(file, "utf8").catch(() => null);
    if (kept !== null && MACHINE_ID.test(kept.trim())) return kept.trim();
    const fresh = `${file}.${randomUUID()}`;
    await writeFile(fresh, `${randomUUID()}\n`, { mode: 0o600 });
    if (kept === null) await keepFirst(fresh, file);
    else await rename(fresh, file);
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

/** Of two nodes that start for the first time together one makes the file, and both read it. */
async function keepFirst(fresh: string, file: string): Promise<void> {
  await link(fresh, file).catch((thrown: NodeJS.ErrnoException) => {
    if (thrown.code !== "EEXIST") throw thrown;
  });
  await rm(fresh);
}
