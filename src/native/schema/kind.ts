import { field, has, isJson, type Json } from "./json.js";
import { grammarPattern } from "./pattern.js";

/** What llama-common makes of a schema: it looks at the first of these that there is, and at nothing else. */
export type Kind =
  | "ref"
  | "anyOf"
  | "allOf"
  | "const"
  | "enum"
  | "object"
  | "array"
  | "string"
  | "integer"
  | "number"
  | "boolean"
  | "null"
  | "any";

export const TYPES = ["object", "array", "string", "integer", "number", "boolean", "null"] as const;
type Type = (typeof TYPES)[number];

export function isType(value: unknown): value is Type {
  return TYPES.some((type) => type === value);
}

/** One schema for each of its types: `{"type": ["a", "b"]}` is either. */
export function alternatives(schema: Json): readonly Json[] {
  const type = field(schema, "type");
  const isTyped = !has(schema, "$ref") && !has(schema, "oneOf") && !has(schema, "anyOf");
  return isTyped && Array.isArray(type) ? type.map((one: unknown) => ({ ...schema, type: one })) : [schema];
}

/** @param schema with one type or none */
export function kindOf(schema: Json): Kind {
  if (has(schema, "$ref")) return "ref";
  if (has(schema, "oneOf") || has(schema, "anyOf")) return "anyOf";
  if (has(schema, "const")) return "const";
  if (has(schema, "enum")) return "enum";
  const type = field(schema, "type");
  if (!isType(type)) return untyped(schema);
  const allOf = has(schema, "allOf") && (type === "string" || (type === "object" && !hasProperties(schema)));
  return allOf ? "allOf" : type;
}

function untyped(schema: Json): Kind {
  if (hasProperties(schema)) return "object";
  if (has(schema, "allOf")) return "allOf";
  if (has(schema, "items") || has(schema, "prefixItems")) return "array";
  const isText = ["pattern", "minLength", "maxLength"].some((name) => has(schema, name)) || hasKnownFormat(schema);
  return isText ? "string" : "any";
}

function hasProperties(schema: Json): boolean {
  const additional = field(schema, "additionalProperties");
  return has(schema, "properties") || (additional !== undefined && additional !== true);
}

export function hasKnownFormat(schema: Json): boolean {
  const format = field(schema, "format");
  return typeof format === "string" && /^(date|time|date-time|uuid[1-5]?)$/.test(format);
}

/** The parts of an `allOf` of one are that one. */
export function onlyPart(schema: Json): Json | null {
  const parts = field(schema, "allOf");
  if (kindOf(schema) !== "allOf" || !Array.isArray(parts) || parts.length !== 1) return null;
  const part: unknown = parts[0];
  return isJson(part) ? part : null;
}

export function hasGrammarPattern(schema: Json): boolean {
  const pattern = field(schema, "pattern");
  return typeof pattern === "string" && grammarPattern(pattern) !== null;
}
