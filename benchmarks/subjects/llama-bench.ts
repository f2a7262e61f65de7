import { z } from "zod";
import { type PeerRun, runPeer } from "../peers/tools.js";
import { SHORT_PROMPT } from "../prompts.js";

/** How llama.cpp's own tools are to run. */
export interface LlamaBenchSettings extends PeerRun {
  readonly modelPath: string;
  readonly threads: number;
  readonly ubatch: number;
  /** `host:port` of RPC servers that hold the layers; none: this process does. */
  readonly rpc: readonly string[];
  /** Default: on, as in our nodes. */
  readonly flashAttention?: "on" | "off";
}

const benchRow = z.object({ n_prompt: z.int(), n_gen: z.int(), avg_ts: z.number() });
const batchedRow = z.object({ pl: z.int(), tg: z.int(), t: z.number() });

/** Tokens of a prompt that touches all weights before the one that counts: reading them from disk is not measured. */
const WARM_UP_PROMPT = 32;
/** Tokens of context beside those of prompt and answer. */
const ROOM = 32;

/** Tokens per second. */
export async function benchPrefill(settings: LlamaBenchSettings, tokens: number): Promise<number> {
  const sizes = ["-p", `${WARM_UP_PROMPT},${tokens}`, "-n", "0", "-b", String(Math.max(tokens, settings.ubatch))];
  const rows = await llamaBench(settings, [...sizes, "--no-warmup"]);
  return speedOf(rows.find(({ n_prompt }) => n_prompt === tokens));
}

/** Tokens per second of one stream from an empty context. */
export async function benchDecode(settings: LlamaBenchSettings, tokens: number): Promise<number> {
  const rows = await llamaBench(settings, ["-p", "0", "-n", String(tokens)]);
  return speedOf(rows.find(({ n_gen }) => n_gen === tokens));
}

/** Tokens per second of all streams together, the time for their short prompts included. */
export async function benchStreams(settings: LlamaBenchSettings, streams: number, tokens: number): Promise<number> {
  const { ubatch } = settings;
  const args = [
    ...[...common(settings), "-b", String(ubatch), "--output-format", "jsonl"],
    ...["-c", String(streams * (tokens + SHORT_PROMPT + ROOM))],
    ...["-npp", String(SHORT_PROMPT), "-ntg", String(tokens), "-npl", String(streams)],
  ];
  const stdout = await runPeer("llama-batched-bench", args, settings);
  const line = stdout.split("\n").find((text) => text.startsWith("{"));
  if (line === undefined) throw new Error("llama-batched-bench gave no result");
  const { pl, tg, t } = batchedRow.parse(JSON.parse(line));
  return (pl * tg) / t;
}

async function llamaBench(settings: LlamaBenchSettings, args: readonly string[]) {
  const fixed = ["-r", "1", "-o", "json"];
  const stdout = await runPeer("llama-bench", [...common(settings), ...fixed, ...args], settings);
  return z.array(benchRow).parse(JSON.parse(stdout));
}

function common({ modelPath, threads, ubatch, rpc, flashAttention = "on" }: LlamaBenchSettings): readonly string[] {
  const offload = rpc.length === 0 ? [] : ["--rpc", rpc.join(","), "-ngl", "999"];
  return ["-m", modelPath, "-t", String(threads), "-ub", String(ubatch), "-fa", flashAttention, ...offload];
}

function speedOf(row: z.infer<typeof benchRow> | undefined): number {
  if (row === undefined) throw new Error("llama-bench gave no result for the size that was asked for");
  return row.avg_ts;
}
