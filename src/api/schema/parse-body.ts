import type { z } from "zod";
import { ExoError } from "../../core/errors.js";

/** The body as the schema types it. Throws `invalid_argument` naming the first field that is wrong. */
export function parseBody<Schema extends z.ZodType>(schema: Schema, body: unknown): z.output<Schema> {
  const result = schema.safeParse(body);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  throw issue === undefined ? wrongField([], "another value", body) : explain(issue, body);
}

/** One sentence shape for every wrong field: what was expected, where, and what came instead. */
export function wrongField(path: readonly PropertyKey[], expected: string, body: unknown): ExoError {
  const name = fieldName(path);
  const message = `Expected ${expected} for ${name ?? "the request body"} but received ${received(valueAt(body, path))}.`;
  return new ExoError("invalid_argument", message, name === null ? {} : { param: name });
}

function explain(issue: z.core.$ZodIssue, body: unknown): ExoError {
  const inner = issue.code === "invalid_union" ? branchThatFits(issue) : null;
  if (inner !== null) return explain({ ...inner, path: [...issue.path, ...inner.path] }, body);
  return wrongField(issue.path, expectedBy(issue), body);
}

/** The fault further in, when one branch of a union took the value's type and stumbled over a part of it. */
function branchThatFits(issue: z.core.$ZodIssueInvalidUnion): z.core.$ZodIssue | null {
  const deeper = issue.errors.filter((faults) => (faults[0]?.path.length ?? 0) > 0);
  return deeper.length === 1 ? (deeper[0]?.[0] ?? null) : null;
}

const TYPES: Readonly<Record<string, string>> = {
  string: "a string",
  number: "a number",
  int: "a whole number",
  boolean: "true or false",
  array: "an array",
  object: "an object",
  record: "an object",
};

/** Schemas give their own words as the message where zod's issue alone does not say enough. */
function expectedBy(issue: z.core.$ZodIssue): string {
  switch (issue.code) {
    case "invalid_type":
      return TYPES[issue.expected] ?? issue.expected;
    case "invalid_value":
      return oneOf(issue.values.map((value) => JSON.stringify(value)));
    case "too_small":
      return bounded(issue.origin, `at least ${issue.minimum}`, `greater than ${issue.minimum}`, issue.inclusive);
    case "too_big":
      return bounded(issue.origin, `at most ${issue.maximum}`, `less than ${issue.maximum}`, issue.inclusive);
    default:
      return issue.message;
  }
}

function bounded(origin: string, bound: string, strictBound: string, inclusive: boolean | undefined): string {
  if (origin === "array") return `an array of ${bound} elements`;
  if (origin === "string") return `a string of ${bound} characters`;
  return inclusive === false ? `a number ${strictBound}` : `a number of ${bound}`;
}

function oneOf(values: readonly string[]): string {
  const last = values.at(-1) ?? "nothing";
  return values.length < 2 ? last : `${values.slice(0, -1).join(", ")} or ${last}`;
}

/** `messages[0].content`; `null` for the body itself. */
export function fieldName(path: readonly PropertyKey[]): string | null {
  if (path.length === 0) return null;
  const parts = path.map((part, at) =>
    typeof part === "number" ? `[${part}]` : `${at === 0 ? "" : "."}${String(part).slice(0, 80)}`,
  );
  return parts.join("");
}

function valueAt(body: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (value, part) => (typeof value === "object" && value !== null ? Reflect.get(value, part) : undefined),
    body,
  );
}

/** Long text is not repeated: it may be somebody's prompt, and errors end up in logs of clients. */
function received(value: unknown): string {
  if (value === undefined) return "nothing";
  if (Array.isArray(value)) return `an array of ${value.length} elements`;
  if (typeof value === "string")
    return value.length <= 40 ? JSON.stringify(value) : `a string of ${value.length} characters`;
  return typeof value === "object" && value !== null ? "an object" : String(value);
}
