import { z } from "zod";
import { ExoError } from "../core/errors.js";

/** One setting: how it is written on the command line, what it accepts and what it is when nobody says. */
export interface Option<Value> {
  /** Long flag without dashes; also the config-file key, and, upper-cased, the `EXO_NATIVE_…` variable. */
  readonly flag: string;
  /** What stands after the flag in the help; `null` for a switch. */
  readonly argument: string | null;
  readonly description: string;
  /** Ends the sentence "Expected …". */
  readonly expects: string;
  /** From text (flag, variable) or JSON (file) to the value. */
  readonly schema: z.ZodType<Value>;
  readonly default: Value;
  /** How the default is called where it differs from machine to machine. */
  readonly defaultText?: string;
  /** All that it can be, where these are a few words; in a list, what each of its items can be. */
  readonly choices?: readonly string[];
  /** May be given more than once on the command line; one text may also hold several, separated by commas. */
  readonly repeatable?: boolean;
  /** Stands without a flag on the command line. */
  readonly positional?: boolean;
}

/** Accepts text for which `parse` finds a value. */
export function parsed<Value>(parse: (text: string) => Value | null): z.ZodType<Value> {
  return z.union([z.string(), z.number()]).transform((input, context) => {
    const value = parse(String(input));
    if (value === null) {
      context.addIssue("not understood");
      return z.NEVER;
    }
    return value;
  });
}

export function wholeNumber(minimum: number, maximum: number): z.ZodType<number> {
  return z
    .union([
      z.number(),
      z
        .string()
        .regex(/^\d{1,15}$/)
        .transform(Number),
    ])
    .pipe(z.int().min(minimum).max(maximum));
}

export const toggle: z.ZodType<boolean> = z.union([
  z.boolean(),
  z.stringbool({ truthy: ["true", "1", "yes", "on"], falsy: ["false", "0", "no", "off", ""] }),
]);

export const nonEmpty = z.string().trim().min(1);

/** What an option accepts that is one of these words. */
export function anyOf<const Words extends readonly string[]>(words: Words) {
  return { expects: `one of ${words.join(", ")}`, choices: words, schema: z.enum(words) };
}

/** A list given as JSON array, repeated flag or comma-separated text. */
export function listOf<Value>(item: z.ZodType<Value>): z.ZodType<readonly Value[]> {
  return z.union([z.string(), z.array(z.string())]).transform((input, context) => {
    const values: Value[] = [];
    for (const text of [input].flat().flatMap((part) => part.split(","))) {
      const result = item.safeParse(text.trim());
      if (result.success) values.push(result.data);
      else if (text.trim() !== "") context.addIssue("not understood");
    }
    return values;
  });
}

const SECRET = new Set(["api-key", "join"]);

function shown(option: Option<unknown>, input: unknown): string {
  if (SECRET.has(option.flag)) return "something else";
  const text = JSON.stringify(input) ?? String(input);
  return text.length > 100 ? `${text.slice(0, 100)}…` : text;
}

/** Parses one value; a wrong one is refused in the name under which the user gave it. */
export function readOption<Value>(option: Option<Value>, input: unknown, spelledAs: string): Value {
  const result = option.schema.safeParse(input);
  if (result.success) return result.data;
  throw new ExoError(
    "invalid_argument",
    `Expected ${option.expects} for ${spelledAs}, received ${shown(option, input)}.`,
    { param: spelledAs },
  );
}
