import { formatByteSize } from "../../config/byte-size.js";
import type { ReadEstimate } from "../node-client/planning-documents.js";
import { inColumns, shortened } from "./columns.js";
import type { Paint } from "./paint.js";
import { bullet } from "./plan-picture.js";

const LONGEST_NAME = 24;
const FITS: Readonly<Record<string, string>> = { "one-node": "on one node", split: "cut among nodes", no: "no" };

/** An estimate as `exo-native estimate` prints it. */
export function drawEstimate(estimate: ReadEstimate, width: number, paint: Paint): string {
  return [
    title(estimate, paint),
    "",
    ...inColumns(memoryRows(estimate), ["left", "right", "left"]).map((line) => `  ${line}`),
    "",
    ...nodeLines(estimate, paint),
    ...quantisationLines(estimate, paint),
    ...estimate.advice.flatMap((sentence) => bullet(sentence, width)),
  ].join("\n");
}

function title({ model, parameters, quantisation, bits_per_weight, fit }: ReadEstimate, paint: Paint): string {
  const verdict = fit === "no" ? paint("red", "does not fit") : paint("green", fit === "split" ? "fits, cut" : "fits");
  const billions = `${(parameters / 1e9).toFixed(parameters < 1e10 ? 2 : 1)} B parameters`;
  return `${paint("bold", model)}  ${billions} · ${quantisation} (${bits_per_weight.toFixed(2)} bits each) · ${verdict}`;
}

function memoryRows(estimate: ReadEstimate): string[][] {
  const { memory, context_size, slots, largest_context, network } = estimate;
  return [
    ["weights", formatByteSize(memory.weights), ""],
    [
      "KV cache",
      formatByteSize(memory.kv_cache),
      `context ${context_size}, ${slots} slots, ${formatByteSize(memory.kv_cache_per_token)} per token`,
    ],
    ["compute buffers", formatByteSize(memory.compute), ""],
    [
      "together",
      formatByteSize(memory.total),
      `and ${formatByteSize(memory.overhead_per_node)} for the program on each node`,
    ],
    ...accountedRows(estimate),
    ["largest context", largest_context === 0 ? "-" : String(largest_context), ""],
    ...(network === null
      ? []
      : [
          [
            "network",
            `${(network.seconds_per_token * 1000).toFixed(1)} ms`,
            `per token, ${network.hops} hops of ${formatByteSize(network.bytes_per_hop)}`,
          ],
        ]),
  ];
}

function accountedRows({ accounted }: ReadEstimate): string[][] {
  if (accounted === undefined) return [];
  const { weights, kv_cache, compute, total } = accounted;
  const parts = [weights, kv_cache, compute].map(formatByteSize).join(" + ");
  return [["llama.cpp counts", formatByteSize(total), parts]];
}

function nodeLines({ nodes }: ReadEstimate, paint: Paint): string[] {
  if (nodes.length === 0) return [];
  const rows = nodes.map((node) => [
    shortened(node.node_name, LONGEST_NAME),
    formatByteSize(node.offered),
    node.holds_all ? "all" : `${node.most_layers} layers`,
    node.largest_context === 0 ? "-" : String(node.largest_context),
  ]);
  return table(["", "offers", "holds", "largest context alone"], rows, paint);
}

function quantisationLines({ quantisations, quantisation }: ReadEstimate, paint: Paint): string[] {
  const rows = quantisations.map(({ quantisation: name, bytes, fit }) => [
    name === quantisation ? `${name} *` : name,
    formatByteSize(bytes),
    FITS[fit] ?? fit,
  ]);
  return rows.length === 0 ? [] : table(["", "weights", "fits"], rows, paint);
}

function table(headings: readonly string[], rows: readonly string[][], paint: Paint): string[] {
  const [first = "", ...lines] = inColumns([headings, ...rows], ["left", "right", "left", "right"]);
  return [`  ${paint("dim", first)}`, ...lines.map((line) => `  ${line}`), ""];
}
