import { setTimeout as delay } from "node:timers/promises";
import type { Measure } from "../cases/bench-case.js";
import type { Figures } from "../figures.js";
import { continuationPrompt, SHORT_PROMPT } from "../prompts.js";
import { ascending, quantile } from "../statistics.js";
import { killNode } from "./killed-node.js";
import type { StageWork } from "./ring-client.js";
import type { RingUnderTest } from "./ring-under-test.js";

/** Greedy, to the full length, and nothing of the prompt taken from a cache. */
const PLAIN = { temperature: 0, ignore_eos: true, cache_prompt: false } as const;

export function measureRing(ring: RingUnderTest, measure: Measure): Promise<Figures> {
  switch (measure.kind) {
    case "prefill":
      return prefill(ring, measure.tokens);
    case "decode":
      return measure.streams === 1 ? decode(ring, measure.tokens) : aggregate(ring, measure.streams, measure.tokens);
    case "inter-token":
      return interToken(ring, measure.streams, measure.tokens);
    case "shared-prefix":
      return sharedPrefix(ring, measure.prefix, measure.rest);
    case "busy-ttft":
      return busyTtft(ring, measure.short, measure.long);
    case "pipeline":
      return pipeline(ring, measure.tokens);
    case "hops":
      return hops(ring, measure.tokens);
    case "node-killed":
      return killNode(ring, { ...PLAIN, prompt: ring.prompts.take(SHORT_PROMPT), max_tokens: measure.tokens });
    case "weights":
      return weights(ring);
    case "continuation":
      return continuation(ring, measure.text, measure.tokens);
  }
}

async function prefill(ring: RingUnderTest, tokens: number): Promise<Figures> {
  const { prompt_ms } = await ring.client.complete({ ...PLAIN, prompt: ring.prompts.take(tokens), max_tokens: 1 });
  return { prefill: (tokens / prompt_ms) * 1000 };
}

/** The first token belongs to the prompt's time, as in llama-bench. */
async function decode(ring: RingUnderTest, tokens: number): Promise<Figures> {
  const prompt = ring.prompts.take(SHORT_PROMPT);
  const { predicted_ms } = await ring.client.complete({ ...PLAIN, prompt, max_tokens: tokens + 1 });
  return { decode: (tokens / predicted_ms) * 1000 };
}

async function aggregate(ring: RingUnderTest, streams: number, tokens: number): Promise<Figures> {
  const prompts = Array.from({ length: streams }, () => ring.prompts.take(SHORT_PROMPT));
  const begun = performance.now();
  await Promise.all(prompts.map((prompt) => ring.client.complete({ ...PLAIN, prompt, max_tokens: tokens })));
  return { decode: (streams * tokens * 1000) / (performance.now() - begun) };
}

async function interToken(ring: RingUnderTest, streams: number, tokens: number): Promise<Figures> {
  const prompts = Array.from({ length: streams }, () => ring.prompts.take(SHORT_PROMPT));
  const answers = await Promise.all(
    prompts.map((prompt) => ring.client.stream({ ...PLAIN, prompt, max_tokens: tokens })),
  );
  const gaps = ascending(answers.flatMap((answer) => answer.gaps));
  return {
    inter_token_p50: quantile(gaps, 0.5),
    inter_token_p95: quantile(gaps, 0.95),
    inter_token_p99: quantile(gaps, 0.99),
  };
}

async function sharedPrefix(ring: RingUnderTest, prefix: number, rest: number): Promise<Figures> {
  const shared = ring.prompts.take(prefix);
  const ask = async (cached: boolean): Promise<number> => {
    const prompt = [...shared, ...ring.prompts.take(rest)];
    return (await ring.client.stream({ ...PLAIN, cache_prompt: cached, prompt, max_tokens: 2 })).firstAfter;
  };
  const ttft_cold = await ask(false);
  const ttft_shared = await ask(true);
  return { ttft_cold, ttft_shared, shared_over_cold: ttft_shared / ttft_cold };
}

async function busyTtft(ring: RingUnderTest, short: number, long: number): Promise<Figures> {
  const ask = async (): Promise<number> =>
    (await ring.client.stream({ ...PLAIN, prompt: ring.prompts.take(short), max_tokens: 2 })).firstAfter;
  const askLong = () => ring.client.complete({ ...PLAIN, prompt: ring.prompts.take(long), max_tokens: 1 });
  const before = await ring.work();
  await askLong();
  const micro_batch = slowestMicroBatch(before, await ring.work());
  const ttft_alone = await ask();
  const longOne = askLong();
  // Let the long prompt get under way. Several of its micro-batches are still to come then, on any machine.
  await delay(ttft_alone);
  const ttft_busy = await ask();
  await longOne;
  return { ttft_alone, ttft_busy, micro_batch, micro_batches_later: (ttft_busy - ttft_alone) / micro_batch };
}

async function pipeline(ring: RingUnderTest, tokens: number): Promise<Figures> {
  const before = await ring.work();
  const { prompt_ms } = await ring.client.complete({ ...PLAIN, prompt: ring.prompts.take(tokens), max_tokens: 1 });
  const after = await ring.work();
  const chunks = difference(before, after, 0, "micro_batches");
  const ideal_time = (chunks + ring.stageCount - 1) * slowestMicroBatch(before, after);
  return { prefill_time: prompt_ms, ideal_time, over_ideal: prompt_ms / ideal_time, chunks };
}

async function hops(ring: RingUnderTest, tokens: number): Promise<Figures> {
  const before = await ring.work();
  // A prompt of one token: every frame has one row, so bytes per frame are bytes per token.
  await ring.client.complete({ ...PLAIN, prompt: ring.prompts.take(1), max_tokens: tokens });
  const after = await ring.work();
  const { rings } = await ring.client.cluster();
  const lately = rings[0]?.hops;
  if (lately == null) throw new Error("the ring reports no hop times");
  const sum = (counter: keyof StageWork): number =>
    before.reduce((total, _, stage) => total + difference(before, after, stage, counter), 0);
  return {
    hop_p50: lately.p50_ms,
    hop_p99: lately.p99_ms,
    wire_bytes: sum("bytes_sent") / sum("frames_sent"),
    copies: sum("copies") / sum("frames_sent"),
  };
}

async function weights(ring: RingUnderTest): Promise<Figures> {
  const { rings } = await ring.client.cluster();
  const stages = rings[0]?.stages ?? [];
  const pages = await ring.residentPages();
  const over = (bytes: (stage: number) => number): number =>
    Math.max(...stages.map(({ planned_weights }, stage) => bytes(stage) / planned_weights));
  const known = pages.every((bytes) => bytes !== null);
  return {
    weights_over_plan: over((stage) => stages[stage]?.memory.weights ?? Number.NaN),
    ...(known && { file_pages_over_plan: over((stage) => pages[stage] ?? Number.NaN) }),
  };
}

async function continuation(ring: RingUnderTest, text: "repeating" | "other", tokens: number): Promise<Figures> {
  const prompt = await continuationPrompt(text);
  const { predicted_ms } = await ring.client.complete({ ...PLAIN, prompt, max_tokens: tokens + 1 });
  return { decode: (tokens / predicted_ms) * 1000 };
}

/** Milliseconds on its thread of the stage that is slowest. */
function slowestMicroBatch(before: readonly StageWork[], after: readonly StageWork[]): number {
  const each = before.map(
    (_, stage) =>
      (difference(before, after, stage, "compute_seconds") * 1000) / difference(before, after, stage, "micro_batches"),
  );
  return Math.max(...each);
}

function difference(
  before: readonly StageWork[],
  after: readonly StageWork[],
  stage: number,
  counter: keyof StageWork,
): number {
  return (after[stage]?.[counter] ?? Number.NaN) - (before[stage]?.[counter] ?? Number.NaN);
}
