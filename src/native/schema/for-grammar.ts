import { field, has, isJson, type Json } from "./json.js";
import { kindOf, onlyPart } from "./kind.js";
import { partsOf } from "./parts.js";
import { grammarPattern } from "./pattern.js";

/**
 * The schema as llama-common can turn it into a grammar: patterns as grammars take them, or as words of the description where
 * they take none (it would print them to standard error), and an `allOf` of one part as that part.
 */
export function forGrammar<Schema>(schema: Schema): Schema {
  const copy = structuredClone(schema);
  for (const { value } of partsOf(copy)) if (isJson(value)) mend(value);
  return copy;
}

/** In the copy that it was given. */
function mend(schema: Json): void {
  const part = onlyPart(schema);
  if (part !== null) {
    Reflect.deleteProperty(schema, "allOf");
    for (const [name, value] of Object.entries(part)) Reflect.set(schema, name, value);
  }
  const pattern = field(schema, "pattern");
  if (typeof pattern !== "string" || ["ref", "anyOf", "const", "enum"].includes(kindOf(schema))) return;
  const written = grammarPattern(pattern);
  if (written !== null) Reflect.set(schema, "pattern", written);
  else describe(schema, pattern);
}

function describe(schema: Json, pattern: string): void {
  Reflect.deleteProperty(schema, "pattern");
  const said = field(schema, "description");
  const words = `Pattern: ${pattern}`;
  Reflect.set(schema, "description", typeof said === "string" && said !== "" ? `${said} ${words}` : words);
  // What had no type was a string for its pattern.
  if (!has(schema, "type") && kindOf(schema) === "any") Reflect.set(schema, "type", "string");
}
