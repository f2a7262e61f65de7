import type { ContinuationKind } from "../continuations.js";
import type { FigureName } from "../figures.js";
import type { Link } from "../network/link-queue.js";

/** What is measured. Tokens are counts. */
export type Measure =
  /** Speed of a prompt that no cache knows. */
  | { readonly kind: "prefill"; readonly tokens: number }
  /** Speed of all streams together; of several by the wall clock, their prompts of a few tokens included. */
  | { readonly kind: "decode"; readonly streams: number; readonly tokens: number }
  /** Time between the tokens of each stream, as a client sees it. */
  | { readonly kind: "inter-token"; readonly streams: number; readonly tokens: number }
  /** TTFT of so many prompts, one after the other, as a client sees it. */
  | { readonly kind: "ttft"; readonly prompt: number; readonly requests: number }
  /** TTFT of a prompt, and of another one that begins with the same `prefix` tokens. */
  | { readonly kind: "shared-prefix"; readonly prefix: number; readonly rest: number }
  /** TTFT of a short prompt that comes while a long one is computed. */
  | { readonly kind: "busy-ttft"; readonly short: number; readonly long: number }
  /** Prefill against (M + N − 1)·T of the stages' own times; `chunk`: tokens of a chunk, those of the subjects' `ubatch`. */
  | { readonly kind: "pipeline"; readonly tokens: number; readonly chunk: number }
  /** What hops cost beyond computing, and what they carry. */
  | { readonly kind: "hops"; readonly tokens: number }
  /** Bytes of weights in memory against the plan. */
  | { readonly kind: "weights" }
  /** A node is killed in the middle of an answer: when the ring knows, and when the answer goes on. */
  | { readonly kind: "node-killed"; readonly tokens: number }
  /** Decode after a text of this kind, another one in each round. */
  | { readonly kind: "continuation"; readonly text: ContinuationKind; readonly tokens: number };

export type RingSpec = {
  readonly kind: "ring";
  readonly nodes: number;
  readonly link?: Link;
  /** All nodes on all processors, with the threads of `npm start`. */
  readonly shareCores?: boolean;
  /** Of the nodes, how many the ring can do without. */
  readonly spare?: number;
  /** Drafts of tokens, where the release can; absent: none. */
  readonly speculation?: boolean;
  /** `--ubatch`, tokens; absent: the default of `serve`. */
  readonly ubatch?: number;
};

/** One way to run the model. Each node or server has one thread and a processor of its own, as far as there are enough. */
export type SubjectSpec =
  /** One process of llama.cpp's own tools. */
  | { readonly kind: "llama.cpp"; readonly threads: "one" | "all" }
  | { readonly kind: "rpc"; readonly servers: number; readonly link?: Link }
  | { readonly kind: "node-llama-cpp" }
  | RingSpec;

export interface BenchCase {
  readonly id: string;
  readonly title: string;
  readonly measure: Measure;
  /** In the catalogue the first is what the others are compared with; of a run, those that were chosen. */
  readonly subjects: readonly SubjectSpec[];
  /** What the ratio to that subject is taken of; absent: nothing is compared. */
  readonly compared?: FigureName;
  /** Measuring spoils the subject: it is started anew for every round. */
  readonly spoils?: boolean;
  /** How `--quick` runs it; absent: it does not. */
  readonly quick?: Partial<Pick<BenchCase, "measure" | "subjects">>;
}

/** The same in every run, so that results of different runs can be matched. */
export function subjectId(spec: SubjectSpec): string {
  switch (spec.kind) {
    case "llama.cpp":
      return spec.threads === "one" ? "one" : "one-all-cores";
    case "rpc":
      return `rpc-${spec.servers}${linkSuffix(spec.link)}`;
    case "node-llama-cpp":
      return "node-llama-cpp";
    case "ring":
      return `ring-${spec.nodes}${linkSuffix(spec.link)}${ringSuffix(spec)}`;
  }
}

export function subjectLabel(spec: SubjectSpec): string {
  switch (spec.kind) {
    case "llama.cpp":
      return spec.threads === "one" ? "llama.cpp, 1 thread" : "llama.cpp, all cores";
    case "rpc":
      return `llama.cpp RPC, ${plural(spec.servers, "server")}${linkWords(spec.link)}`;
    case "node-llama-cpp":
      return "node-llama-cpp, 1 thread";
    case "ring":
      return `ring of ${plural(spec.nodes, "node")}${linkWords(spec.link)}${ringWords(spec)}`;
  }
}

function linkSuffix(link: Link | undefined): string {
  if (link === undefined) return "";
  return `-${link.oneWayMs}ms${link.bytesPerSecond === undefined ? "" : `-${megabits(link.bytesPerSecond)}Mbit`}`;
}

function linkWords(link: Link | undefined): string {
  if (link === undefined) return "";
  const cap = link.bytesPerSecond === undefined ? "" : `, ${megabits(link.bytesPerSecond)} Mbit/s`;
  return `, ${link.oneWayMs} ms one-way${cap}`;
}

function megabits(bytesPerSecond: number): number {
  return (bytesPerSecond * 8) / 1e6;
}

function ringSuffix({ shareCores, spare, speculation, ubatch }: RingSpec): string {
  const parts = [shareCores ? "-shared" : "", spare === undefined ? "" : `-spare-${spare}`];
  if (speculation !== undefined) parts.push(speculation ? "-speculating" : "-plain");
  if (ubatch !== undefined) parts.push(`-ubatch-${ubatch}`);
  return parts.join("");
}

function ringWords({ shareCores, spare, speculation, ubatch }: RingSpec): string {
  const parts = [shareCores ? ", cores shared" : "", spare === undefined ? "" : `, ${spare} to spare`];
  if (speculation !== undefined) parts.push(speculation ? ", speculating" : ", without speculation");
  if (ubatch !== undefined) parts.push(`, chunks of ${ubatch}`);
  return parts.join("");
}

function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}
