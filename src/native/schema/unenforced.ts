import { missingNames, typeFits } from "./impossible.js";
import { field, has, isJson, type Json } from "./json.js";
import { alternatives, hasGrammarPattern, hasKnownFormat, type Kind, kindOf, onlyPart } from "./kind.js";
import type { Place } from "./parts.js";

const NUMERIC = ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"];
const TEXT = ["minLength", "maxLength", "pattern", "format"];
const OBJECT = [
  ...["properties", "required", "additionalProperties", "patternProperties", "propertyNames", "minProperties"],
  ...["maxProperties", "dependentRequired", "dependentSchemas", "dependencies", "unevaluatedProperties"],
];
const ARRAY = [
  ...["items", "prefixItems", "additionalItems", "minItems", "maxItems", "uniqueItems", "contains", "minContains"],
  ...["maxContains", "unevaluatedItems"],
];
const ANY = ["$dynamicRef", "$recursiveRef", "allOf", "anyOf", "oneOf", "const", "enum", "not", "if", "then", "else"];

const ALL = [...NUMERIC, ...TEXT, ...OBJECT, ...ARRAY, ...ANY];

/** Keywords that say something about a value of the kind; all others are notes to readers. */
const SAYS: Readonly<Record<Kind, readonly string[]>> = {
  ref: ["type", ...ALL],
  anyOf: ["type", ...ALL],
  allOf: ALL,
  const: ALL,
  enum: ALL,
  object: [...OBJECT, ...ANY],
  array: [...ARRAY, ...ANY],
  string: [...TEXT, ...ANY],
  integer: [...NUMERIC, ...ANY],
  number: [...NUMERIC, ...ANY],
  boolean: ANY,
  null: ANY,
  any: ALL,
};

/** A keyword of the part that an answer may break, since no grammar holds it to it; `null`: there is none. */
export function unenforced({ value, inAllOf }: Place): string | null {
  if (!isJson(value)) return null;
  for (const schema of alternatives(value)) {
    const kind = kindOf(schema);
    const held = new Set(heldTo(schema, kind));
    const broken = SAYS[kind].find((name) => has(schema, name) && !held.has(name) && !saysNothing(schema, name, kind));
    if (broken !== undefined) return broken;
    if (kind === "object" && !inAllOf && missingNames(schema).length > 0) return "required";
    if (kind === "enum" && !enumValues(schema).every((one) => typeFits(schema, one))) return "enum";
    if (kind === "object" && inAllOf && field(schema, "additionalProperties") === false) return "additionalProperties";
  }
  return null;
}

function heldTo(schema: Json, kind: Kind): readonly string[] {
  switch (kind) {
    case "anyOf":
      return [has(schema, "oneOf") ? "oneOf" : "anyOf"];
    case "allOf":
      return onlyPart(schema) === null ? ["allOf"] : ["allOf", "type"];
    case "const":
    case "enum":
      return [kind];
    case "object":
      return ["properties", "required", "additionalProperties"];
    case "array":
      return heldArray(schema);
    case "string":
      return heldText(schema);
    case "integer":
      return [
        has(schema, "minimum") ? "minimum" : "exclusiveMinimum",
        has(schema, "maximum") ? "maximum" : "exclusiveMaximum",
      ];
    default:
      return [];
  }
}

function heldArray(schema: Json): readonly string[] {
  const name = has(schema, "items") ? "items" : "prefixItems";
  const items = field(schema, name);
  if (!Array.isArray(items)) return [name, "minItems", "maxItems"];
  const most = field(schema, "maxItems");
  // A list of schemas is written out whole.
  return typeof most === "number" && most < items.length ? [name, "minItems"] : [name, "minItems", "maxItems"];
}

function heldText(schema: Json): readonly string[] {
  if (hasGrammarPattern(schema)) return ["pattern"];
  return hasKnownFormat(schema) ? ["format"] : ["minLength", "maxLength"];
}

/** As if it were not there. */
function saysNothing(schema: Json, name: string, kind: Kind): boolean {
  const value = field(schema, name);
  switch (name) {
    case "uniqueItems":
      return value === false;
    case "minLength":
    case "minItems":
    case "minProperties":
      return value === 0;
    case "multipleOf":
      return kind === "integer" && value === 1;
    case "required":
      return Array.isArray(value) && value.length === 0;
    case "additionalProperties":
    case "unevaluatedItems":
      return value === true;
    case "unevaluatedProperties":
      return value === true || (kind === "object" && closes(schema));
    case "propertyNames":
      return isJson(value) && Object.entries(value).every(([key, one]) => key === "type" && one === "string");
    default:
      return false;
  }
}

/** llama-common lets an object have what it names, unless it is told otherwise. */
function closes(schema: Json): boolean {
  const additional = field(schema, "additionalProperties");
  return has(schema, "properties") && (additional === undefined || additional === false);
}

function enumValues(schema: Json): readonly unknown[] {
  const values = field(schema, "enum");
  return Array.isArray(values) ? values : [];
}
