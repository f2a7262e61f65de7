import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { z } from "zod";

export interface PeerOptions {
  readonly modelPath: string;
  readonly threads: number;
  readonly ubatch: number;
  /** Processors to stay on (Linux). */
  readonly cpus: readonly number[];
}

const benchRow = z.object({ n_prompt: z.int(), n_gen: z.int(), avg_ts: z.number() });
const batchedRow = z.object({ pl: z.int(), speed_tg: z.number() });

/** One repetition of llama.cpp's own benchmark, with flash attention as our nodes use it. Tokens per second. */
export async function runLlamaBench(
  directory: string,
  options: PeerOptions & { readonly promptTokens: number; readonly generatedTokens: number },
): Promise<{ prefill: number; decode: number }> {
  const { modelPath, threads, ubatch, promptTokens, generatedTokens } = options;
  const stdout = await runPeer(directory, "llama-bench", options.cpus, [
    ...["-m", modelPath, "-t", String(threads), "-fa", "1", "-r", "1", "-o", "json"],
    ...["-p", String(promptTokens), "-n", String(generatedTokens)],
    ...["-ub", String(ubatch), "-b", String(Math.max(ubatch, promptTokens))],
  ]);
  const rows = z.array(benchRow).parse(JSON.parse(stdout));
  return {
    prefill: rows.find((row) => row.n_prompt > 0)?.avg_ts ?? Number.NaN,
    decode: rows.find((row) => row.n_gen > 0)?.avg_ts ?? Number.NaN,
  };
}

/** Tokens per second of all streams together, for each number of streams. */
export async function runBatchedBench(
  directory: string,
  options: PeerOptions & { readonly streams: readonly number[]; readonly generatedTokens: number },
): Promise<ReadonlyMap<number, number>> {
  const { modelPath, threads, ubatch, streams, generatedTokens } = options;
  const context = Math.max(...streams) * (generatedTokens + 32);
  const stdout = await runPeer(directory, "llama-batched-bench", options.cpus, [
    ...["-m", modelPath, "-t", String(threads), "-fa", "on", "--output-format", "jsonl"],
    ...["-c", String(context), "-b", String(ubatch), "-ub", String(ubatch)],
    ...["-npp", "3", "-ntg", String(generatedTokens), "-npl", streams.join(",")],
  ]);
  const rows = stdout
    .split("\n")
    .filter((line) => line.startsWith("{"))
    .map((line) => batchedRow.parse(JSON.parse(line)));
  return new Map(rows.map((row) => [row.pl, row.speed_tg]));
}

async function runPeer(
  directory: string,
  name: string,
  cpus: readonly number[],
  args: readonly string[],
): Promise<string> {
  const command = ["--cpu-list", cpus.join(","), join(directory, name), ...args];
  const { stdout } = await promisify(execFile)("taskset", command, { cwd: directory, maxBuffer: 16 * 1024 * 1024 });
  return stdout;
}
