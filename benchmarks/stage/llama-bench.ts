import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { z } from "zod";
import type { Speed, StageSpeedOptions } from "./stage-speed.js";

const rowSchema = z.object({ n_prompt: z.int(), n_gen: z.int(), avg_ts: z.number() });

/** One repetition of llama.cpp's own benchmark with the same settings. */
export async function llamaBench(directory: string, options: StageSpeedOptions): Promise<Speed> {
  const { modelPath, threads, ubatch, promptTokens, generatedTokens, flashAttention } = options;
  const args = [
    ...["-m", modelPath, "-t", String(threads), "-fa", flashAttention === "on" ? "1" : "0", "-r", "1", "-o", "json"],
    ...["-p", String(promptTokens), "-n", String(generatedTokens)],
    ...["-ub", String(ubatch), "-b", String(Math.max(ubatch, promptTokens))],
  ];
  const { stdout } = await promisify(execFile)(join(directory, "llama-bench"), args, { cwd: directory });
  const rows = z.array(rowSchema).parse(JSON.parse(stdout));
  return {
    prefill: rows.find((row) => row.n_prompt > 0)?.avg_ts ?? Number.NaN,
    decode: rows.find((row) => row.n_gen > 0)?.avg_ts ?? Number.NaN,
  };
}
