import { spreadOf } from "../../src/core/statistics.js";
import { type Outcome, samplesOf } from "../outcome.js";
import { ratioOf } from "../ratio.js";

const GENERAL =
  "One stream passes through the nodes one after the other, so more nodes make room for a larger model, not a faster answer. " +
  "Of long prompts and several streams the nodes work on different parts at once.";

/** What a split is compared with, in words. */
const KINDS = [
  { words: "a prompt of 2048 tokens", id: "prefill-2048", figure: "prefill" },
  { words: "a prompt of 512 tokens", id: "prefill-512", figure: "prefill" },
  { words: "one stream", id: "decode-1", figure: "decode" },
  { words: "four streams together", id: "decode-4", figure: "decode" },
  { words: "eight streams together", id: "decode-8", figure: "decode" },
] as const;

/** Medians that are closer than this are the same: see docs/benchmarks.md. */
const ALIKE = 0.03;

/** Whether two nodes or one process with all cores of this machine did better, from this run's own numbers. */
export function reading(outcome: Outcome): string {
  // One round proves nothing.
  if (outcome.settings.quick) return GENERAL;
  const { cores } = outcome.machine;
  const lines = KINDS.flatMap(({ words, id, figure }) => {
    const two = samplesOf(outcome, id, "ring-2", figure);
    const all = samplesOf(outcome, id, "one-all-cores", figure);
    if (two.length === 0 || all.length === 0) return [];
    const speeds = `${spreadOf(two).median.toFixed(1)} against ${spreadOf(all).median.toFixed(1)} tok/s`;
    return [`- ${words}: ${speeds}, ${verdict(ratioOf(two, all).median)}.`];
  });
  if (lines.length === 0) return GENERAL;
  const question = `Two nodes with one thread each against one process with all ${cores} cores of this machine:`;
  return `${GENERAL}\n\n${question}\n\n${lines.join("\n")}`;
}

function verdict(ratio: number): string {
  const times = `×${ratio.toFixed(2)}`;
  if (Math.abs(ratio - 1) <= ALIKE) return `${times}: no difference that means anything`;
  return `${times}: ${ratio > 1 ? "the two nodes" : "the one process"} won`;
}
