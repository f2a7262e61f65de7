import { execFile } from "node:child_process";

export interface CommandOutput {
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program to its end, whatever its exit code; `null` when there is no such program, or it may not be run. */
export type RunCommand = (file: string, args: readonly string[]) => Promise<CommandOutput | null>;

const TIMEOUT_MS = 5_000;
const MOST_OUTPUT_BYTES = 16 * 1024 * 1024;

export const runCommand: RunCommand = (file, args) =>
  new Promise((resolve) => {
    const options = { timeout: TIMEOUT_MS, maxBuffer: MOST_OUTPUT_BYTES, windowsHide: true };
    execFile(file, [...args], options, (error, stdout, stderr) => {
      const code: unknown = error === null ? null : Reflect.get(error, "code");
      resolve(code === "ENOENT" || code === "EACCES" ? null : { stdout, stderr });
    });
  });
