import { CONTINUATION_KINDS, type ContinuationKind } from "../continuations.js";
import { type BenchCase, type SubjectSpec, subjectId } from "./bench-case.js";

const ONE: SubjectSpec = { kind: "llama.cpp", threads: "one" };
const ALL_CORES: SubjectSpec = { kind: "llama.cpp", threads: "all" };
const NODE_LLAMA_CPP: SubjectSpec = { kind: "node-llama-cpp" };
const FAR = { oneWayMs: 10 };

const ring = (nodes: number): SubjectSpec => ({ kind: "ring", nodes });
const farRing = (nodes: number): SubjectSpec => ({ kind: "ring", nodes, link: FAR });
const rpc = (servers: number): SubjectSpec => ({ kind: "rpc", servers });
const farRpc = (servers: number): SubjectSpec => ({ kind: "rpc", servers, link: FAR });

const RINGS = [1, 2, 3, 4].map(ring);
const QUICK = [ONE, ring(1), ring(2), rpc(2)];

/** Tokens that a stream decodes; `--quick` takes fewer. */
const DECODED = 64;
const DECODED_QUICK = 32;
/** What a prompt is sent in where a chunk is to be measured alone too: larger ones a ring makes only of long prompts. */
const CHUNK = 128;

const CONTINUATIONS: Readonly<Record<ContinuationKind, string>> = {
  repeating: "text that repeats its prompt",
  code: "code with one name changed",
  summary: "a retelling of the prompt",
  other: "other text",
};

/** Every case, in the order in which they run: neighbours share subjects, which then stay loaded. */
export const CASES: readonly BenchCase[] = [
  {
    id: "prefill-512",
    title: "Prefill of 512 tokens",
    measure: { kind: "prefill", tokens: 512 },
    subjects: [ONE, ALL_CORES, NODE_LLAMA_CPP, ...RINGS, rpc(2), rpc(4)],
    compared: "prefill",
    quick: { subjects: QUICK },
  },
  {
    id: "decode-1",
    title: "Decode, one stream",
    measure: { kind: "decode", streams: 1, tokens: DECODED },
    subjects: [ONE, ALL_CORES, NODE_LLAMA_CPP, ...RINGS, rpc(2), rpc(4)],
    compared: "decode",
    quick: { measure: { kind: "decode", streams: 1, tokens: DECODED_QUICK }, subjects: QUICK },
  },
  ...[2, 4, 8].map(
    (streams): BenchCase => ({
      id: `decode-${streams}`,
      title: `Decode, ${streams} streams together`,
      measure: { kind: "decode", streams, tokens: DECODED },
      subjects: [ONE, ALL_CORES, ...RINGS, rpc(2), rpc(4)],
      compared: "decode",
      ...(streams === 4 && {
        quick: { measure: { kind: "decode", streams, tokens: DECODED_QUICK }, subjects: QUICK },
      }),
    }),
  ),
  {
    id: "prefill-2048",
    title: "Prefill of 2048 tokens",
    measure: { kind: "prefill", tokens: 2048 },
    subjects: [ONE, ALL_CORES, ...RINGS, rpc(2), rpc(4)],
    compared: "prefill",
  },
  {
    id: "hops",
    title: "What a hop costs and carries, one stream",
    // As many ways round as the hop times are kept of.
    measure: { kind: "hops", tokens: 256 },
    subjects: [2, 3, 4].map(ring),
    quick: { subjects: [ring(2)] },
  },
  {
    id: "weights",
    title: "Weights in memory against the plan",
    measure: { kind: "weights" },
    subjects: RINGS,
    quick: { subjects: [ring(2)] },
  },
  {
    id: "pipeline",
    title: "Prefill of 2048 tokens against the ideal pipeline",
    measure: { kind: "pipeline", tokens: 2048, chunk: CHUNK },
    subjects: [2, 3, 4].map((nodes) => ({ kind: "ring", nodes, ubatch: CHUNK })),
  },
  {
    id: "inter-token",
    title: "Time between tokens, four streams",
    measure: { kind: "inter-token", streams: 4, tokens: DECODED },
    subjects: [1, 2].map(ring),
  },
  {
    id: "ttft",
    title: "Time to the first token of 20 prompts of 32 tokens, one after the other",
    measure: { kind: "ttft", prompt: 32, requests: 20 },
    subjects: [1, 2].map(ring),
  },
  {
    id: "shared-prefix",
    title: "Time to the first token of a prompt that shares 1024 tokens",
    measure: { kind: "shared-prefix", prefix: 1024, rest: 16 },
    subjects: [1, 2].map(ring),
    quick: { subjects: [ring(2)] },
  },
  {
    id: "busy-ttft",
    title: "Time to the first token of a short prompt while 2048 tokens are computed",
    measure: { kind: "busy-ttft", short: 32, long: 2048 },
    subjects: [ring(2)],
  },
  {
    id: "delay-8",
    title: "Decode over links of 10 ms, eight streams, two nodes",
    measure: { kind: "decode", streams: 8, tokens: DECODED },
    subjects: [farRpc(2), farRing(2)],
    compared: "decode",
  },
  {
    id: "delay-1",
    title: "Decode over links of 10 ms, one stream, four nodes",
    measure: { kind: "decode", streams: 1, tokens: DECODED_QUICK },
    subjects: [farRpc(4), farRing(4)],
    compared: "decode",
  },
  {
    id: "slow-link",
    title: "Prefill of 512 tokens over links of 100 Mbit/s, two nodes",
    measure: { kind: "prefill", tokens: 512 },
    subjects: [{ kind: "ring", nodes: 2, link: { oneWayMs: 0.5, bytesPerSecond: 12_500_000 } }],
  },
  ...CONTINUATION_KINDS.map(
    (text): BenchCase => ({
      id: `speculation-${text}`,
      title: `Decode of ${CONTINUATIONS[text]}, with and without speculation`,
      measure: { kind: "continuation", text, tokens: DECODED },
      subjects: [1, 2].flatMap((nodes): SubjectSpec[] => [
        { kind: "ring", nodes, speculation: false },
        { kind: "ring", nodes, speculation: true },
      ]),
    }),
  ),
  {
    id: "node-killed",
    title: "A node is killed in the middle of an answer",
    measure: { kind: "node-killed", tokens: DECODED },
    subjects: [{ kind: "ring", nodes: 3, spare: 1 }],
    spoils: true,
  },
  {
    id: "shared-cores",
    title: "Two nodes on the same cores, as npm start has them",
    measure: { kind: "decode", streams: 1, tokens: DECODED },
    subjects: [ALL_CORES, { kind: "ring", nodes: 2, shareCores: true }],
    compared: "decode",
  },
];

/** The cases as `--quick` runs them: fewer, and smaller. */
export function quickCases(cases: readonly BenchCase[]): readonly BenchCase[] {
  return cases.flatMap((one) => (one.quick === undefined ? [] : [{ ...one, ...one.quick }]));
}

/** Id of the subject that the others of a case are compared with, whether or not it is part of a run. */
export function baselineOf(id: string): string | null {
  const [first] = CASES.find((one) => one.id === id)?.subjects ?? [];
  return first === undefined ? null : subjectId(first);
}

/** Tokens beside those that a case decodes: of its prompts. */
const PROMPT_ROOM = 32;
const CONTINUATION_ROOM = 640;

/** Tokens of context that a case needs of each sequence. */
export function contextOf({ measure }: BenchCase): number {
  switch (measure.kind) {
    case "prefill":
    case "pipeline":
      return measure.tokens + 1;
    case "decode":
    case "inter-token":
    case "hops":
    case "node-killed":
      return measure.tokens + PROMPT_ROOM;
    case "ttft":
      return measure.prompt + PROMPT_ROOM;
    case "shared-prefix":
      return measure.prefix + measure.rest + 1;
    case "busy-ttft":
      return measure.long + 1;
    case "continuation":
      return measure.tokens + CONTINUATION_ROOM;
    case "weights":
      return PROMPT_ROOM;
  }
}

/** Requests at once. */
export function slotsOf({ measure }: BenchCase): number {
  if (measure.kind === "decode" || measure.kind === "inter-token") return measure.streams;
  return measure.kind === "busy-ttft" ? 2 : 1;
}
