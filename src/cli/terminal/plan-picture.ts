import { formatByteSize } from "../../config/byte-size.js";
import { milliseconds } from "../../planning/explain.js";
import type { ReadPlan } from "../node-client/planning-documents.js";
import { type Alignment, inColumns, shortened, wrapped } from "./columns.js";
import type { Paint } from "./paint.js";

const LONGEST_NAME = 18;
const HEADINGS = ["", "layers", "weights", "KV cache", "of", "a token", "hop"];
const ALIGNMENT: readonly Alignment[] = ["left", "left", "right", "right", "right", "right", "right"];

/** A plan as `exo-native plan` prints it. */
export function drawPlan(plan: ReadPlan, width: number, paint: Paint): string {
  const facts = [
    `for ${plan.strategy}`,
    `${plan.layer_count} layers`,
    `context ${plan.context_size}`,
    `${plan.slots} ${plan.slots === 1 ? "slot" : "slots"}`,
  ];
  const columns = plan.predicted === null ? HEADINGS.slice(0, 5) : HEADINGS;
  const rows = plan.stages.map((stage, index) => stageRow(stage, index === 0).slice(0, columns.length));
  const [headings = "", ...lines] = inColumns([columns, ...rows], ALIGNMENT);
  return [
    `${paint("bold", plan.model)}  ${facts.join(" · ")}`,
    "",
    `  ${paint("dim", headings)}`,
    ...lines.map((line) => `  ${line}`),
    "",
    ...plan.reasons.flatMap((reason) => bullet(reason, width)),
  ].join("\n");
}

function stageRow(
  { node_name, layer_begin, layer_end, memory, predicted }: ReadPlan["stages"][number],
  isHead: boolean,
) {
  const hop = predicted?.hop_seconds ?? 0;
  return [
    shortened(node_name, LONGEST_NAME) + (isHead ? " (head)" : ""),
    `[${layer_begin}, ${layer_end})`,
    formatByteSize(memory.weights),
    formatByteSize(memory.kv_cache),
    formatByteSize(memory.offered),
    predicted === null ? "" : milliseconds(predicted.compute_seconds),
    hop === 0 ? "" : milliseconds(hop),
  ];
}

/** A sentence on lines of its own, set off by a dash. */
export function bullet(sentence: string, width: number): readonly string[] {
  return wrapped(sentence, width - 3).map((line, index) => (index === 0 ? `- ${line}` : `  ${line}`));
}
