import { parseArgs } from "node:util";
import { DEVICES, type DeviceSpec } from "./devices.js";
import { LINKS, type NamedLink } from "./links.js";
import { MODELS, type ModelSpec } from "./models.js";

export interface SimulateOptions {
  readonly model: ModelSpec;
  /** One for all nodes, or one for each. */
  readonly devices: readonly DeviceSpec[];
  readonly nodes: readonly number[];
  readonly links: readonly NamedLink[];
  readonly streams: readonly number[];
  readonly promptTokens: number;
  readonly answerTokens: number;
  readonly ubatch: number;
  readonly format: "table" | "json" | "markdown";
  /** Benchmark results to compare with instead. */
  readonly validate: readonly string[];
  readonly help: boolean;
}

/** What was typed cannot be meant; the message says what is expected. */
export class OptionError extends Error {
  override readonly name = "OptionError";
}

const MOST_NODES = 64;
const MOST_TOKENS = 131_072;
const MOST_STREAMS = 64;

export function helpText(): string {
  const list = (title: string, items: readonly { readonly name: string; readonly label: string }[]): string =>
    [`${title}:`, ...items.map(({ name, label }) => `  ${name.padEnd(18)} ${label}`)].join("\n");
  return `Predicts how fast a ring answers, and llama.cpp's RPC beside it, by simulation. See docs/simulate.md.

npm run bench:simulate -- [options]
  --model NAME       default: llama-3.3-70b
  --device NAMES     one for all nodes (default: m3-ultra), or one per node: m3-ultra,rtx-3090
  --nodes LIST       sizes of rings (default: 1,2,4,8; up to ${MOST_NODES}); with several devices: their number
  --link NAMES       between neighbours (default: thunderbolt)
  --streams LIST     numbers of streams at once (default: 2,8)
  --prompt N         tokens of the prompt (default: 2048)
  --generate N       tokens of an answer (default: 64)
  --ubatch N         most rows of a micro-batch (default: 512)
  --json, --markdown instead of a table
  --validate FILE    compare with results of npm run bench (repeatable): from what one node does, predict the rings

${list("Models", MODELS)}

${list("Devices", DEVICES)}

${list("Links", LINKS)}
`;
}

export function parseOptions(args: readonly string[]): SimulateOptions {
  const { values } = parse(args);
  const devices = values.device.split(",").map((name) => named("device", DEVICES, name));
  const nodes = devices.length > 1 ? [devices.length] : wholeNumbers("nodes", values.nodes, MOST_NODES);
  if (values.json && values.markdown) throw new OptionError("Choose one of --json and --markdown.");
  return {
    model: named("model", MODELS, values.model),
    devices,
    nodes,
    links: values.link.split(",").map((name) => named("link", LINKS, name)),
    streams: wholeNumbers("streams", values.streams, MOST_STREAMS),
    promptTokens: wholeNumber("prompt", values.prompt, MOST_TOKENS),
    answerTokens: wholeNumber("generate", values.generate, MOST_TOKENS),
    ubatch: wholeNumber("ubatch", values.ubatch, 8192),
    format: values.json ? "json" : values.markdown ? "markdown" : "table",
    validate: values.validate,
    help: values.help,
  };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        model: { type: "string", default: "llama-3.3-70b" },
        device: { type: "string", default: "m3-ultra" },
        nodes: { type: "string", default: "1,2,4,8" },
        link: { type: "string", default: "thunderbolt" },
        streams: { type: "string", default: "2,8" },
        prompt: { type: "string", default: "2048" },
        generate: { type: "string", default: "64" },
        ubatch: { type: "string", default: "512" },
        json: { type: "boolean", default: false },
        markdown: { type: "boolean", default: false },
        validate: { type: "string", multiple: true, default: [] },
        help: { type: "boolean", default: false },
      },
    });
  } catch (thrown) {
    throw new OptionError(`${thrown instanceof Error ? thrown.message : String(thrown)}; --help says more.`);
  }
}

function named<Item extends { readonly name: string }>(what: string, items: readonly Item[], name: string): Item {
  const found = items.find((item) => item.name === name.trim());
  if (found !== undefined) return found;
  throw new OptionError(
    `Expected one of ${items.map((item) => item.name).join(", ")} for --${what}, received "${name}".`,
  );
}

function wholeNumbers(flag: string, list: string, most: number): readonly number[] {
  return list.split(",").map((text) => wholeNumber(flag, text, most));
}

function wholeNumber(flag: string, text: string, most: number): number {
  const value = text.trim() === "" ? Number.NaN : Number(text);
  if (Number.isInteger(value) && value >= 1 && value <= most) return value;
  throw new OptionError(`Expected whole numbers from 1 to ${most} for --${flag}, received "${text}".`);
}
