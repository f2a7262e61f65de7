import { hopSeconds } from "./link.js";
import type { MeasureSettings } from "./measures.js";
import type { RingSpec, Work } from "./stage-cost.js";

/**
 * llama.cpp with RPC servers, by formula: one program drives the servers, which do not talk to each other, and a batch is
 * done before the next begins. Every server costs a way there and a way back; the logits come back over the wire from the
 * last one. In a prefill the transfers of one batch overlap with the next where servers differ, which gives
 * (M · (N - 1) + 1) · T; measured with the vendored release, 2 to 4 servers.
 */
export interface LockStep {
  prefill(settings: MeasureSettings): number;
  /** Tokens per second of so many streams together, after their prompts. */
  decode(streams: number, settings: MeasureSettings): number;
  /** The same with their prompts, which are computed before. */
  streams(streams: number, settings: MeasureSettings): number;
}

const LOGIT_BYTES = 4;
/** Per server and batch beside the hidden states: graph, tensor headers. Measured on the wire at one row. */
const GRAPH_BYTES = 1600;
/** f16 attention mask, per row and token of context. */
const MASK_BYTES = 2;

export function lockStep(ring: RingSpec, vocabularySize: number): LockStep {
  const { stages, links, rowBytes } = ring;
  const servers = stages.length;
  const compute = (work: Work): number => stages.reduce((sum, stage) => sum + stage.layers(work), 0);
  const wires = (rows: number, context: number): number =>
    links.reduce(
      (sum, link) =>
        sum +
        hopSeconds(link, GRAPH_BYTES + rows * (rowBytes + MASK_BYTES * context)) +
        hopSeconds(link, rows * rowBytes),
      0,
    );
  const logits = (rows: number): number =>
    (rows * vocabularySize * LOGIT_BYTES) / (links.at(-1)?.bytesPerSecond ?? Number.POSITIVE_INFINITY);
  const prefillSeconds = (tokens: number, ubatch: number): number => {
    const rows = Math.min(ubatch, tokens);
    const chunks = Math.ceil(tokens / rows);
    const middle = { rows, attended: (rows * tokens) / 2, cached: tokens / 2 };
    const slowest = Math.max(...stages.map((stage) => stage.layers(middle)));
    // One server is one process: nothing overlaps.
    const times = servers === 1 ? chunks : chunks * (servers - 1) + 1;
    return times * slowest + wires(rows, tokens) * chunks + logits(1) + (stages[0]?.output(1) ?? 0);
  };
  const stepSeconds = (streams: number, { shortPrompt, answerTokens }: MeasureSettings): number => {
    const context = shortPrompt + answerTokens / 2;
    const work = { rows: streams, attended: streams * context, cached: streams * context };
    return compute(work) + (stages[0]?.output(streams) ?? 0) + wires(streams, context) + logits(streams);
  };
  return {
    prefill: ({ promptTokens, ubatch }) => promptTokens / prefillSeconds(promptTokens, ubatch),
    decode: (streams, settings) => streams / stepSeconds(streams, settings),
    streams: (streams, settings) => {
      const { shortPrompt, answerTokens, ubatch } = settings;
      const seconds = prefillSeconds(streams * shortPrompt, ubatch) + answerTokens * stepSeconds(streams, settings);
      return (streams * answerTokens) / seconds;
    },
  };
}
