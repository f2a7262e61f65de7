import { type Command, Option as Flag, InvalidArgumentError } from "commander";

/** One flag of `run` that becomes a field of the request. */
export interface SamplingFlag {
  readonly flag: string;
  readonly argument: string;
  readonly description: string;
  /** The API's name. */
  readonly field: string;
  readonly minimum: number;
  readonly maximum: number;
  readonly whole: boolean;
}

export const SAMPLING_FLAGS: readonly SamplingFlag[] = [
  flag("temperature", "t", "how freely to choose: 0 always takes the likeliest token", "temperature", 0, 100),
  flag("top-p", "p", "choose among the likeliest tokens that add up to this probability", "top_p", 0, 1),
  flag("top-k", "k", "choose among this many likeliest tokens (0: all)", "top_k", 0, 1e6, true),
  flag("min-p", "p", "leave out tokens less likely than this part of the likeliest", "min_p", 0, 1),
  flag("repeat-penalty", "x", "above 1: repeat less", "repeat_penalty", 0.01, 100),
  flag("seed", "n", "the same seed gives the same answer", "seed", 0, 2 ** 32 - 1, true),
  flag("max-tokens", "n", "end the answer after this many tokens", "max_tokens", 1, 2 ** 27, true),
];

function flag(
  name: string,
  argument: string,
  description: string,
  field: string,
  minimum: number,
  maximum: number,
  whole = false,
): SamplingFlag {
  return { flag: name, argument, description, field, minimum, maximum, whole };
}

export function addSamplingFlags(command: Command): Command {
  for (const spec of SAMPLING_FLAGS) {
    const option = new Flag(`--${spec.flag} <${spec.argument}>`, spec.description);
    command.addOption(option.argParser((text) => parseNumber(spec, text)).helpGroup("Choosing tokens:"));
  }
  return command;
}

function parseNumber(spec: SamplingFlag, text: string): number {
  const value = readNumber(spec, text);
  if (value !== null) return value;
  throw new InvalidArgumentError(`Expected ${expectedNumber(spec)}.`);
}

/** `null` for what is no such number. */
export function readNumber({ minimum, maximum, whole }: SamplingFlag, text: string): number | null {
  const value = text.trim() === "" ? Number.NaN : Number(text);
  return value >= minimum && value <= maximum && (!whole || Number.isInteger(value)) ? value : null;
}

export function expectedNumber({ minimum, maximum, whole }: SamplingFlag): string {
  return `a ${whole ? "whole " : ""}number from ${minimum} to ${maximum}`;
}

/** The request's fields from the command's options. */
export function samplingFields(options: Readonly<Record<string, unknown>>): Readonly<Record<string, number>> {
  const fields: Record<string, number> = {};
  for (const spec of SAMPLING_FLAGS) {
    const value = options[attributeName(spec.flag)];
    if (typeof value === "number") fields[spec.field] = value;
  }
  return fields;
}

function attributeName(name: string): string {
  return new Flag(`--${name}`).attributeName();
}
