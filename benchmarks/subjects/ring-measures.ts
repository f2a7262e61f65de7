import { setTimeout as delay } from "node:timers/promises";
import { ascending, quantile } from "../../src/core/statistics.js";
import type { Measure } from "../cases/bench-case.js";
import type { ContinuationKind } from "../continuations.js";
import type { Figures } from "../figures.js";
import { SHORT_PROMPT } from "../prompts.js";
import { ask, askStreaming, PLAIN } from "./asking.js";
import { killNode } from "./killed-node.js";
import { measurePipeline } from "./pipeline.js";
import type { StageWork } from "./ring-client.js";
import type { RingUnderTest } from "./ring-under-test.js";
import { weightFigures } from "./stage-weights.js";
import { difference, microBatches, slowestMicroBatch } from "./stage-work.js";

const WARM_UP_PROMPT = 32;
const WARM_UP_ANSWER = 8;

/** A short prompt and answer, which touch all weights and wake all threads. */
export async function warmUpRing(ring: RingUnderTest): Promise<void> {
  await ask(ring, { prompt: ring.prompts.take(WARM_UP_PROMPT), tokens: WARM_UP_ANSWER });
}

export function measureRing(ring: RingUnderTest, measure: Measure): Promise<Figures> {
  switch (measure.kind) {
    case "prefill":
      return prefill(ring, measure.tokens);
    case "decode":
      return measure.streams === 1 ? decode(ring, measure.tokens) : aggregate(ring, measure.streams, measure.tokens);
    case "inter-token":
      return interToken(ring, measure.streams, measure.tokens);
    case "ttft":
      return ttft(ring, measure.prompt, measure.requests);
    case "shared-prefix":
      return sharedPrefix(ring, measure.prefix, measure.rest);
    case "busy-ttft":
      return busyTtft(ring, measure.short, measure.long);
    case "pipeline":
      return measurePipeline(ring, measure.tokens, measure.chunk);
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
  const { prompt_ms } = await ask(ring, { prompt: ring.prompts.take(tokens), tokens: 1 });
  return { prefill: (tokens / prompt_ms) * 1000 };
}

/** The first token belongs to the prompt's time, as in llama-bench. */
async function decode(ring: RingUnderTest, tokens: number): Promise<Figures> {
  const { predicted_ms } = await ask(ring, { prompt: ring.prompts.take(SHORT_PROMPT), tokens: tokens + 1 });
  return { decode: (tokens / predicted_ms) * 1000 };
}

/** The prompt gives the first token of each, so that as many passes follow it as in llama-batched-bench: one per token. */
async function aggregate(ring: RingUnderTest, streams: number, tokens: number): Promise<Figures> {
  const prompts = Array.from({ length: streams }, () => ring.prompts.take(SHORT_PROMPT));
  const begun = performance.now();
  await Promise.all(prompts.map((prompt) => ask(ring, { prompt, tokens: tokens + 1 })));
  return { decode: (streams * tokens * 1000) / (performance.now() - begun) };
}

async function interToken(ring: RingUnderTest, streams: number, tokens: number): Promise<Figures> {
  const prompts = Array.from({ length: streams }, () => ring.prompts.take(SHORT_PROMPT));
  const answers = await Promise.all(prompts.map((prompt) => askStreaming(ring, { prompt, tokens })));
  const gaps = ascending(answers.flatMap((answer) => answer.gaps));
  return {
    inter_token_p50: quantile(gaps, 0.5),
    inter_token_p95: quantile(gaps, 0.95),
    inter_token_p99: quantile(gaps, 0.99),
  };
}

async function ttft(ring: RingUnderTest, prompt: number, requests: number): Promise<Figures> {
  const times: number[] = [];
  for (let request = 0; request < requests; request += 1) {
    times.push((await askStreaming(ring, { prompt: ring.prompts.take(prompt), tokens: 2 })).firstAfter);
  }
  const sorted = ascending(times);
  return { ttft_p50: quantile(sorted, 0.5), ttft_p95: quantile(sorted, 0.95), ttft_p99: quantile(sorted, 0.99) };
}

async function sharedPrefix(ring: RingUnderTest, prefix: number, rest: number): Promise<Figures> {
  const shared = ring.prompts.take(prefix);
  const firstAfter = async (cached?: number): Promise<number> => {
    const prompt = [...shared, ...ring.prompts.take(rest)];
    return (await askStreaming(ring, { prompt, tokens: 2, ...(cached !== undefined && { cached }) })).firstAfter;
  };
  const ttft_cold = await firstAfter();
  const ttft_shared = await firstAfter(prefix);
  return { ttft_cold, ttft_shared, shared_over_cold: ttft_shared / ttft_cold };
}

async function busyTtft(ring: RingUnderTest, short: number, long: number): Promise<Figures> {
  const firstAfter = async (): Promise<number> =>
    (await askStreaming(ring, { prompt: ring.prompts.take(short), tokens: 2 })).firstAfter;
  const askLong = () => ask(ring, { prompt: ring.prompts.take(long), tokens: 1 });
  const before = await ring.work();
  await askLong();
  const micro_batch = slowestMicroBatch(before, await ring.work());
  const ttft_alone = await firstAfter();
  const longOne = askLong();
  // Let the long prompt get under way. Several of its micro-batches are still to come then, on any machine.
  await delay(ttft_alone);
  const ttft_busy = await firstAfter();
  await longOne;
  return { ttft_alone, ttft_busy, micro_batch, micro_batches_later: (ttft_busy - ttft_alone) / micro_batch };
}

async function hops(ring: RingUnderTest, tokens: number): Promise<Figures> {
  const before = await ring.work();
  // A prompt of one token: every frame has one row, so bytes per frame are bytes per token.
  await ask(ring, { prompt: ring.prompts.take(1), tokens });
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
    stage_fastest: Math.min(...microBatches(before, after)),
    stage_slowest: slowestMicroBatch(before, after),
  };
}

async function weights(ring: RingUnderTest): Promise<Figures> {
  const { rings } = await ring.client.cluster();
  return weightFigures(rings[0]?.stages ?? [], await ring.residentPages());
}

async function continuation(ring: RingUnderTest, text: ContinuationKind, tokens: number): Promise<Figures> {
  const prompt = await ring.continuations.take(text);
  const { predicted_ms, accepted, rejected } = await ask(ring, { prompt, tokens: tokens + 1 });
  const drafts = { accepted_drafts: (accepted * 100) / tokens, rejected_drafts: (rejected * 100) / tokens };
  return { decode: (tokens / predicted_ms) * 1000, ...drafts };
}
