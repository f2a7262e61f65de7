import { HttpError } from "./http-error.js";

/**
 * Deeper than any tool or answer schema met in practice. Parsers and template engines further on recurse, and a body of
 * nothing but brackets must not exhaust a native stack.
 */
const MAX_DEPTH = 96;

/**
 * Parses a request body. Throws `malformed_json` for what is not UTF-8, not JSON, too deep, or means to change
 * prototypes.
 */
export function parseJsonBody(body: Uint8Array): unknown {
  const text = decode(body);
  if (text.trim() === "") {
    throw new HttpError("malformed_json", "The request has no body; send a JSON object.");
  }
  const value = parse(text);
  refuseOddities(value);
  return value;
}

/** Silently replaced, wrong bytes would reach the model as something else. */
function decode(body: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(body);
  } catch {
    throw new HttpError("malformed_json", "The request body is not valid UTF-8; JSON is sent as UTF-8.");
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (thrown) {
    const why = thrown instanceof Error ? thrown.message : String(thrown);
    throw new HttpError("malformed_json", `The request body is not valid JSON: ${why}.`);
  }
}

function refuseOddities(root: unknown): void {
  let level: object[] = isObject(root) ? [root] : [];
  for (let depth = 1; level.length > 0; depth += 1) {
    if (depth > MAX_DEPTH) {
      throw new HttpError("malformed_json", `The request body nests deeper than ${MAX_DEPTH} levels.`);
    }
    const next: object[] = [];
    for (const item of level) {
      if (Object.hasOwn(item, "__proto__")) {
        throw new HttpError("malformed_json", "The request body has a field named __proto__, which is not allowed.");
      }
      for (const [name, child] of Object.entries(item)) {
        if (isObject(child)) next.push(child);
        else refuseHalfCharacter(child);
        refuseHalfCharacter(name);
      }
    }
    level = next;
  }
}

/** Half of a surrogate pair has no UTF-8: each step further on would make something else of it. */
const HALF_CHARACTER = /\p{Surrogate}/u;

function refuseHalfCharacter(value: unknown): void {
  if (typeof value !== "string" || !HALF_CHARACTER.test(value)) return;
  const message =
    "The request body has a text with half of a surrogate pair (\\ud800 to \\udfff), which is no character.";
  throw new HttpError("malformed_json", message);
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}
