import { ubatchSetting } from "../subjects/llama-cpp.js";
import type { LinkSpec } from "./link.js";
import { HOP_OVERHEAD } from "./links.js";
import { lockStep } from "./lock-step.js";
import { curveCost, nodeCurve } from "./measured-node.js";
import { decodeSpeed, type MeasureSettings, prefillSpeed, streamsSpeed } from "./measures.js";
import { MODELS, type ModelSpec } from "./models.js";
import { OptionError } from "./options.js";
import { speed } from "./report.js";
import { measured, type Results } from "./results-file.js";
import type { RingSpec } from "./stage-cost.js";

/** A measurement beside its prediction. Tokens per second. */
export interface ValidationRow {
  readonly case: string;
  readonly subject: string;
  readonly measured: number;
  readonly predicted: number;
  /** Predicted over measured, less one. */
  readonly error: number;
}

export interface Validation {
  readonly model: string;
  readonly machine: string;
  /** Others computed while it was measured, so that one node and a ring did not find the same machine. */
  readonly busy: boolean;
  readonly rows: readonly ValidationRow[];
}

/** As the benchmark runs its cases. */
const SETTINGS: MeasureSettings = { ubatch: 512, promptTokens: 512, answerTokens: 64, shortPrompt: 4 };
/** Load per core before a run above which its figures cannot be compared with each other. */
const QUIET_LOAD = 0.25;
const LOOPBACK_BYTES_PER_SECOND = 4e9;
const F32_BYTES = 4;

const CASE = /^(?:prefill-(?<tokens>\d+)|decode-(?<streams>\d+)|delay-(?<delayed>\d+)|slow-link)$/;
/** `ring-4`, `ring-2-10ms`, `ring-2-0.5ms-100Mbit`, `rpc-2`; others are run in a way that is not simulated. */
const SUBJECT = /^(?<kind>ring|rpc)-(?<nodes>\d+)(?:-(?<delay>[\d.]+)ms)?(?:-(?<megabits>[\d.]+)Mbit)?$/;

/** Predicts every ring and every set of RPC servers of the results from what one node alone did, and from hop times. */
export async function validate(results: Results): Promise<Validation> {
  const model = modelOf(results);
  const rows: ValidationRow[] = [];
  for (const { id, subjects } of results.cases) {
    for (const { subject, samples } of subjects) {
      const figure = Object.hasOwn(samples, "prefill") ? "prefill" : "decode";
      const found = measured(results, id, subject, figure);
      const predicted = await predict(results, model, id, subject);
      if (found === null || predicted === null) continue;
      rows.push({ case: id, subject, measured: found, predicted, error: predicted / found - 1 });
    }
  }
  const { processor, cores, loadAverage } = results.machine;
  return {
    model: `${results.model.id} ${results.model.quantisation}`,
    machine: `${processor}, ${cores} cores, load before ${loadAverage.toFixed(2)}`,
    busy: loadAverage > QUIET_LOAD * cores,
    rows,
  };
}

function modelOf({ model }: Results): ModelSpec {
  const found = MODELS.find(({ name }) => model.id.startsWith(name));
  if (found !== undefined) return found;
  throw new OptionError(`The shape of ${model.id} is not known here; models.ts holds those that are.`);
}

/** `null`: not a case or subject that is simulated, or the very one that is predicted from. */
async function predict(results: Results, model: ModelSpec, id: string, subject: string): Promise<number | null> {
  const asked = CASE.exec(id)?.groups;
  const ran = SUBJECT.exec(subject)?.groups;
  const nodes = Number(ran?.nodes);
  if (asked === undefined || ran === undefined || nodes < 2 || nodes > model.layers) return null;
  const ring = measuredRing(results, model, nodes, linkOf(results, nodes, ran));
  const streams = Number(asked.streams ?? asked.delayed ?? 0);
  const settings = { ...SETTINGS, promptTokens: Number(asked.tokens ?? SETTINGS.promptTokens) };
  if (ran.kind === "rpc") {
    const rpc = lockStep(ring, model.vocabularySize);
    if (streams === 0) return rpc.prefill({ ...settings, ubatch: ubatchOf(results, id, subject, settings) });
    return streams === 1 ? rpc.decode(1, settings) : rpc.streams(streams, settings);
  }
  if (streams === 0) return (await prefillSpeed(ring, settings)).tokensPerSecond;
  if (streams === 1) return (await decodeSpeed(ring, settings)).tokensPerSecond;
  return (await streamsSpeed(ring, streams, settings)).tokensPerSecond;
}

/** The pass size with which the peer was quickest, as the run noted it. */
function ubatchOf(results: Results, id: string, subject: string, { promptTokens, ubatch }: MeasureSettings): number {
  const ran = results.cases.find((one) => one.id === id)?.subjects.find((one) => one.subject === subject);
  return Number(ran?.settings[ubatchSetting(promptTokens)] ?? ubatch);
}

function linkOf(results: Results, nodes: number, ran: Readonly<Record<string, string | undefined>>): LinkSpec {
  const hop = measured(results, "hops", `ring-${nodes}`, "hop_p50");
  return {
    latency: Number(ran.delay ?? 0) / 1000,
    bytesPerSecond: ran.megabits === undefined ? LOOPBACK_BYTES_PER_SECOND : (Number(ran.megabits) * 1e6) / 8,
    overhead: hop === null ? HOP_OVERHEAD : hop / 1000,
  };
}

/** Nodes with equal memory get equal shares of the layers; more nodes than cores share them in turn, as they are pinned. */
function measuredRing(results: Results, model: ModelSpec, nodes: number, link: LinkSpec): RingSpec {
  const curve = nodeCurve(results);
  const layers = Array.from({ length: nodes }, (_, index) => {
    return Math.floor(model.layers / nodes) + (index < model.layers % nodes ? 1 : 0);
  });
  return {
    stages: layers.map((count) => curveCost(curve, model, count)),
    processors: layers.map((_, index) => index % results.machine.cores),
    links: layers.map(() => link),
    rowBytes: model.embeddingSize * F32_BYTES,
  };
}

export function validationTable({ model, machine, busy, rows }: Validation): string {
  const lines = rows.map((row) => [
    row.case,
    row.subject,
    speed(row.measured),
    speed(row.predicted),
    `${row.error < 0 ? "" : "+"}${(row.error * 100).toFixed(1)} %`,
  ]);
  const rings = rows.filter(({ subject }) => subject.startsWith("ring")).map(({ error }) => Math.abs(error));
  const mean = rings.reduce((sum, error) => sum + error, 0) / Math.max(1, rings.length);
  return [
    `### ${model}, ${machine}`,
    "",
    "| case | subject | measured tok/s | predicted | error |",
    "|---|---|---:|---:|---:|",
    ...lines.map((line) => `| ${line.join(" | ")} |`),
    "",
    `Rings: ${rings.length} rows, mean error ${(mean * 100).toFixed(1)} %, largest ${(Math.max(0, ...rings) * 100).toFixed(1)} %. ` +
      "Predicted from the ring of one node and hop times alone.",
    ...(busy
      ? ["", "The machine was busy when this was measured: measure again on a quiet one before trusting the errors."]
      : []),
  ].join("\n");
}
