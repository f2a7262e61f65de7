import type { Figures } from "../figures.js";
import { ask } from "./asking.js";
import type { RingUnderTest } from "./ring-under-test.js";
import { difference, slowestMicroBatch } from "./stage-work.js";

/**
 * Prefill against (M + N − 1)·T. T is measured with one chunk at a time: were it taken from the prompt that is judged, nodes
 * that hinder each other would make the ideal slower too. The same prompt is asked again and again, each time longer by one
 * chunk, with all before it in the cache: so the chunks have the same sizes, and the same context before them.
 *
 * @param chunk tokens of a chunk; the ring must be one that sends no larger ones
 */
export async function measurePipeline(ring: RingUnderTest, tokens: number, chunk: number): Promise<Figures> {
  const before = await ring.work();
  const { prompt_ms } = await ask(ring, { prompt: ring.prompts.take(tokens), tokens: 1 });
  const chunks = difference(before, await ring.work(), 0, "micro_batches");
  if (chunks !== Math.ceil(tokens / chunk)) {
    throw new Error(`the ring made ${chunks} chunks of the prompt where ${Math.ceil(tokens / chunk)} are counted`);
  }
  const ideal_time = (chunks + before.length - 1) * (await chunkAlone(ring, tokens, chunk));
  return { prefill_time: prompt_ms, ideal_time, over_ideal: prompt_ms / ideal_time, chunks };
}

/** T: mean milliseconds of a chunk on the thread of the slowest stage, with no other chunk in the ring. */
async function chunkAlone(ring: RingUnderTest, tokens: number, chunk: number): Promise<number> {
  const prompt = ring.prompts.take(tokens);
  const before = await ring.work();
  for (let begin = 0; begin < tokens; begin += chunk) {
    await ask(ring, { prompt: prompt.slice(0, begin + chunk), tokens: 1, ...(begin > 0 && { cached: begin }) });
  }
  return slowestMicroBatch(before, await ring.work());
}
