import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { z } from "zod";

export interface LlamaBenchOptions {
  readonly modelPath: string;
  readonly threads: number;
  readonly ubatch: number;
  readonly promptTokens: number;
  readonly generatedTokens: number;
  /** Processors to stay on (Linux). */
  readonly cpus: readonly number[];
}

export interface LlamaBenchResult {
  /** Tokens per second. */
  readonly prefill: number;
  readonly decode: number;
}

const rowsSchema = z.array(z.object({ n_prompt: z.int(), n_gen: z.int(), avg_ts: z.number() }));

/** One repetition of llama.cpp's own benchmark, with flash attention as our nodes use it. */
export async function runLlamaBench(directory: string, options: LlamaBenchOptions): Promise<LlamaBenchResult> {
  const { stdout } = await promisify(execFile)(
    "taskset",
    [
      ...["--cpu-list", options.cpus.join(",")],
      join(directory, "llama-bench"),
      ...["-m", options.modelPath, "-t", String(options.threads), "-fa", "1", "-r", "1", "-o", "json"],
      ...["-p", String(options.promptTokens), "-n", String(options.generatedTokens)],
      ...["-ub", String(options.ubatch), "-b", String(Math.max(options.ubatch, options.promptTokens))],
    ],
    { cwd: directory, maxBuffer: 16 * 1024 * 1024 },
  );
  const rows = rowsSchema.parse(JSON.parse(stdout));
  return {
    prefill: rows.find((row) => row.n_prompt > 0)?.avg_ts ?? Number.NaN,
    decode: rows.find((row) => row.n_gen > 0)?.avg_ts ?? Number.NaN,
  };
}
