import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { packageRoot } from "../../src/core/package.js";
import { Unavailable } from "../subjects/subject.js";

/** Executables that `npm run bench:peers` builds. */
export type PeerTool = "llama-bench" | "llama-batched-bench" | "ggml-rpc-server";

export const BUILD_COMMAND = "npm run bench:peers";

export function peersDirectory(): string {
  return join(packageRoot(), "build", "peers");
}

/** Path of a tool. Throws `Unavailable` with the command that builds it. */
export function peerTool(directory: string, tool: PeerTool): string {
  const path = join(directory, process.platform === "win32" ? `${tool}.exe` : tool);
  if (!existsSync(path)) throw new Unavailable(`${tool} is not built; \`${BUILD_COMMAND}\` builds it.`);
  return path;
}

export interface PeerRun {
  readonly peersDirectory: string;
  /** Words before the command, of `taskset` say. */
  readonly before: readonly string[];
  /** Milliseconds. */
  readonly timeout: number;
  /** Ends the tool. */
  readonly signal: AbortSignal;
}

/** Output of a tool that measures and ends. Rejects with what it said when it fails. */
export async function runPeer(tool: PeerTool, args: readonly string[], run: PeerRun): Promise<string> {
  const { peersDirectory: directory, before, timeout, signal } = run;
  const [program = "", ...words] = [...before, peerTool(directory, tool), ...args];
  const options = { maxBuffer: 16 * 1024 * 1024, timeout, signal, killSignal: "SIGKILL" } as const;
  try {
    return (await promisify(execFile)(program, words, options)).stdout;
  } catch (thrown) {
    const said: unknown = thrown instanceof Error ? Reflect.get(thrown, "stderr") : "";
    const lines = String(said).trim().split("\n").slice(-5).join("\n");
    throw new Error(`${tool} failed, or took more than ${timeout / 1000} s: ${lines}`, { cause: thrown });
  }
}
