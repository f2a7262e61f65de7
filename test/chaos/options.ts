import { parseArgs } from "node:util";
import { tinyModel } from "../support/models.js";

export interface ChaosOptions {
  readonly faults: number;
  readonly minutes: number;
  readonly seed: number;
  /** The seed of one fault, to see that one again. */
  readonly faultSeed: number | null;
  readonly nodes: number;
  readonly streams: number;
  readonly only: readonly string[] | null;
  readonly save: string | null;
  readonly model: string;
  /** Without namespaces, and so without faults of the network. */
  readonly loopback: boolean;
  /** Name of the namespace that this process runs in, made by the one before it. */
  readonly middle: string | null;
}

const MOST_NODES = 8;
const TEMPLATE = "{% for message in messages %}{{ message.content }}{% endfor %}";

export function readOptions(args: readonly string[]): ChaosOptions {
  const text = { type: "string" } as const;
  const { values } = parseArgs({
    args: [...args],
    options: {
      faults: text,
      minutes: text,
      seed: text,
      "fault-seed": text,
      nodes: text,
      streams: text,
      only: text,
      save: text,
      model: text,
      loopback: { type: "boolean" },
      middle: text,
    },
  });
  return {
    faults: whole("--faults", values.faults, 200, 100_000),
    minutes: whole("--minutes", values.minutes, 15, 24 * 60),
    seed: whole("--seed", values.seed, 1, 10_000),
    faultSeed: values["fault-seed"] === undefined ? null : whole("--fault-seed", values["fault-seed"], 0, 2 ** 31),
    nodes: whole("--nodes", values.nodes, 3, MOST_NODES),
    streams: whole("--streams", values.streams, 8, 64),
    only: values.only?.split(",") ?? null,
    save: values.save ?? null,
    // With f16 matrices the bits of a row do not depend on the rows beside it.
    model: values.model ?? tinyModel({ matrices: "f16", plainText: true, contextLength: 512, chatTemplate: TEMPLATE }),
    loopback: values.loopback === true,
    middle: values.middle ?? null,
  };
}

function whole(name: string, text: string | undefined, otherwise: number, most: number): number {
  if (text === undefined) return otherwise;
  const value = Number(text);
  if (Number.isInteger(value) && value >= 0 && value <= most) return value;
  throw new Error(`Expected a whole number from 0 to ${most} for ${name}, received ${text}.`);
}

/** The seed of the fault at this place of a run. */
export function seedOf(seed: number, at: number): number {
  return seed * 100_000 + at;
}
