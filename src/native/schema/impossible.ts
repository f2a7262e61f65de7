import { field, has, isJson, type Json } from "./json.js";
import { alternatives, isType, kindOf, onlyPart, TYPES } from "./kind.js";
import { type Place, resolve } from "./parts.js";
import { isRegExp } from "./pattern.js";

/** What is wrong with a part, and the keyword that says so. */
export interface Fault {
  readonly keyword: string;
  /** Goes on with the name of the keyword: "is not …". */
  readonly what: string;
}

/** What llama-common reads counts into. */
const MOST_COUNT = 2 ** 31 - 1;
/** The nearest double below the end of 64 bits. */
const MOST_INTEGER = 2 ** 63 - 1024;

/** What no answer can match, and what llama-common makes something else of. `null`: nothing. */
export function impossible({ value, inAllOf }: Place, root: unknown): Fault | null {
  if (!isJson(value)) return { keyword: "", what: "is not an object; write {} for a schema that takes anything" };
  const type = field(value, "type");
  const types: readonly unknown[] = Array.isArray(type) ? type : type === undefined || type === null ? [] : [type];
  if (Array.isArray(type) && type.length === 0) return { keyword: "type", what: "names no type" };
  if (!types.every(isType)) return { keyword: "type", what: `is not one of ${TYPES.join(", ")}` };
  const faults = alternatives(value).map((one) => faultOf(one, inAllOf, root));
  return faults.find((fault) => fault !== null) ?? null;
}

function faultOf(schema: Json, inAllOf: boolean, root: unknown): Fault | null {
  switch (kindOf(schema)) {
    case "ref":
      return wrongRef(schema, root);
    case "allOf":
      return onlyPart(schema) === null ? wrongParts(schema, root) : null;
    case "const":
      return typeFits(schema, field(schema, "const")) ? null : { keyword: "const", what: "is not of its type" };
    case "enum":
      return wrongEnum(schema);
    case "object":
      return wrongCounts(schema, "minProperties", "maxProperties") ?? wrongRequired(schema, inAllOf);
    case "array":
      return wrongCounts(schema, "minItems", "maxItems") ?? wrongTuple(schema);
    case "string":
      return wrongCounts(schema, "minLength", "maxLength") ?? wrongPattern(schema);
    case "integer":
      return wrongBounds(schema, true);
    case "number":
      return wrongBounds(schema, false);
    default:
      return null;
  }
}

function wrongRef(schema: Json, root: unknown): Fault | null {
  const keyword = "$ref";
  const seen = new Set<unknown>();
  for (let at: unknown = schema; isJson(at) && has(at, keyword); ) {
    const ref = field(at, keyword);
    if (typeof ref !== "string") return { keyword, what: "is not a string" };
    if (ref === "#") {
      return { keyword, what: 'cannot be the whole schema ("#"); put it below $defs and refer to it there' };
    }
    if (!ref.startsWith("#/")) return { keyword, what: 'has to name a place in the same schema, as in "#/$defs/name"' };
    if (seen.has(at)) return { keyword, what: "leads back to itself" };
    seen.add(at);
    at = resolve(root, ref);
    if (at === undefined) return { keyword, what: "names a place that is not in the schema" };
  }
  return null;
}

/** llama-common joins objects, or enumerations; of anything else it makes an empty object. */
function wrongParts(schema: Json, root: unknown): Fault | null {
  const keyword = "allOf";
  const parts = field(schema, keyword);
  if (!Array.isArray(parts) || parts.length === 0) return { keyword, what: "is not an array of schemas" };
  const targets = parts.map((part: unknown) => followed(part, root)).filter(isJson);
  const kinds = new Set(targets.flatMap((one) => (isAnyOf(one) ? branchKinds(one, root) : [kindOf(one)])));
  if ([...kinds].every((kind) => kind === "enum")) {
    return shared(targets).length > 0 ? null : { keyword, what: "joins enumerations that have no value in common" };
  }
  if (![...kinds].every((kind) => kind === "object")) {
    return { keyword, what: "can join objects only, or enumerations only; write its parts as one schema" };
  }
  const names = targets.flatMap((one) => Object.keys(propertiesOf(one)));
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  return twice === undefined
    ? null
    : { keyword, what: `has the property ${JSON.stringify(twice)} in two of its parts` };
}

function isAnyOf(schema: Json): boolean {
  return kindOf(schema) === "anyOf";
}

function branchKinds(schema: Json, root: unknown) {
  const branches = field(schema, has(schema, "oneOf") ? "oneOf" : "anyOf");
  const list: readonly unknown[] = Array.isArray(branches) ? branches : [];
  return list
    .map((one) => followed(one, root))
    .filter(isJson)
    .map(kindOf);
}

function followed(part: unknown, root: unknown): unknown {
  const seen = new Set<unknown>();
  let at = part;
  while (isJson(at) && typeof at.$ref === "string" && !seen.has(at)) {
    seen.add(at);
    at = resolve(root, at.$ref);
  }
  return at;
}

function shared(enums: readonly Json[]): readonly string[] {
  const [first = [], ...others] = enums.map((one) => {
    const values = field(one, "enum");
    return Array.isArray(values) ? values.map((value: unknown) => JSON.stringify(value)) : [];
  });
  return first.filter((value) => others.every((other) => other.includes(value)));
}

function propertiesOf(schema: Json): Json {
  const properties = field(schema, "properties");
  return isJson(properties) ? properties : {};
}

function wrongEnum(schema: Json): Fault | null {
  const values = field(schema, "enum");
  if (!Array.isArray(values) || values.length === 0)
    return { keyword: "enum", what: "is not an array with a value in it" };
  const fits = values.some((value: unknown) => typeFits(schema, value));
  return fits ? null : { keyword: "enum", what: "has no value of its type" };
}

export function typeFits(schema: Json, value: unknown): boolean {
  const type = field(schema, "type");
  switch (type) {
    case "null":
      return value === null;
    case "array":
      return Array.isArray(value);
    case "object":
      return isJson(value);
    case "integer":
      return Number.isInteger(value);
    case "string":
    case "number":
    case "boolean":
      return typeof value === type;
    default:
      return true;
  }
}

function wrongRequired(schema: Json, inAllOf: boolean): Fault | null {
  if (inAllOf || field(schema, "additionalProperties") !== false) return null;
  const missing = missingNames(schema)[0];
  if (missing === undefined) return null;
  const what = `names ${JSON.stringify(missing)}, which is not among the properties, and additionalProperties is false`;
  return { keyword: "required", what };
}

/** Names that are required and have no schema. */
export function missingNames(schema: Json): readonly unknown[] {
  const required = field(schema, "required");
  const properties = propertiesOf(schema);
  const names: readonly unknown[] = Array.isArray(required) ? required : [];
  return names.filter((name) => typeof name === "string" && !has(properties, name));
}

function wrongCounts(schema: Json, least: string, most: string): Fault | null {
  for (const keyword of [least, most]) {
    const value = field(schema, keyword);
    const isCount = typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= MOST_COUNT;
    if (value !== undefined && !isCount) return { keyword, what: "is not a whole number of at least 0" };
  }
  const [from, to] = [numberOf(schema, least), numberOf(schema, most)];
  return from !== null && to !== null && from > to ? { keyword: least, what: `is more than ${most}` } : null;
}

function wrongTuple(schema: Json): Fault | null {
  const items = field(schema, has(schema, "items") ? "items" : "prefixItems");
  if (!Array.isArray(items)) return null;
  const least = numberOf(schema, "minItems") ?? 0;
  return least > items.length ? { keyword: "minItems", what: "is more than there are items in the list" } : null;
}

function wrongPattern(schema: Json): Fault | null {
  const pattern = field(schema, "pattern");
  if (pattern === undefined) return null;
  const valid = typeof pattern === "string" && isRegExp(pattern);
  return valid ? null : { keyword: "pattern", what: "is not a valid regular expression (ECMA-262)" };
}

const BOUNDS = ["minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum"];

function wrongBounds(schema: Json, whole: boolean): Fault | null {
  for (const keyword of BOUNDS) {
    const value = field(schema, keyword);
    if (value === undefined) continue;
    if (typeof value !== "number") return { keyword, what: "is not a number" };
    if (whole && Math.abs(value) > MOST_INTEGER) return { keyword, what: "does not fit into 64 bits" };
  }
  return isEmpty(schema, whole)
    ? { keyword: lowest(schema), what: "leaves no number below the most that is allowed" }
    : null;
}

function isEmpty(schema: Json, whole: boolean): boolean {
  const [above, least] = [numberOf(schema, "exclusiveMinimum"), numberOf(schema, "minimum")];
  const [below, most] = [numberOf(schema, "exclusiveMaximum"), numberOf(schema, "maximum")];
  if (whole) {
    const first = Math.max(ceil(least), above === null ? -Infinity : Math.floor(above) + 1);
    const last = Math.min(
      most === null ? Infinity : Math.floor(most),
      below === null ? Infinity : Math.ceil(below) - 1,
    );
    return first > last;
  }
  const [from, to] = [Math.max(least ?? -Infinity, above ?? -Infinity), Math.min(most ?? Infinity, below ?? Infinity)];
  return from > to || (from === to && (above === from || below === to));
}

function ceil(value: number | null): number {
  return value === null ? -Infinity : Math.ceil(value);
}

function lowest(schema: Json): string {
  return has(schema, "minimum") ? "minimum" : "exclusiveMinimum";
}

function numberOf(schema: Json, name: string): number | null {
  const value = field(schema, name);
  return typeof value === "number" ? value : null;
}
