import { field, isJson, type Json } from "./json.js";
import { alternatives, kindOf } from "./kind.js";

/** A schema within a schema. */
export interface Place {
  readonly value: unknown;
  /** `properties.city`; "" for the whole. */
  readonly path: string;
  /** One of several that hold together. */
  readonly inAllOf: boolean;
}

/** Every part that an answer has to match, the whole first; each once, for parts may refer to each other. */
export function partsOf(root: unknown): readonly Place[] {
  const seen = new Set<unknown>();
  const found: Place[] = [];
  const waiting: Place[] = [{ value: root, path: "", inAllOf: false }];
  for (let place = waiting.pop(); place !== undefined; place = waiting.pop()) {
    if (isJson(place.value) && seen.has(place.value)) continue;
    seen.add(place.value);
    found.push(place);
    if (isJson(place.value)) waiting.push(...below(place.value, place.path, root).toReversed());
  }
  return found;
}

function below(schema: Json, path: string, root: unknown): readonly Place[] {
  return alternatives(schema).flatMap((one) => inside(one, path, root));
}

function inside(schema: Json, path: string, root: unknown): readonly Place[] {
  const at = (name: string) => (path === "" ? name : `${path}.${name}`);
  switch (kindOf(schema)) {
    case "ref": {
      const ref = field(schema, "$ref");
      const target = typeof ref === "string" ? resolve(root, ref) : undefined;
      return target === undefined ? [] : [place(target, String(ref).slice(2).replaceAll("/", "."))];
    }
    case "anyOf": {
      const name = Object.hasOwn(schema, "oneOf") ? "oneOf" : "anyOf";
      return listed(field(schema, name), at(name), false);
    }
    case "allOf":
      return listed(field(schema, "allOf"), at("allOf"), true);
    case "object":
      return [...named(field(schema, "properties"), at("properties")), ...additional(schema, at)];
    case "array": {
      const name = Object.hasOwn(schema, "items") ? "items" : "prefixItems";
      const items = field(schema, name);
      if (Array.isArray(items)) return listed(items, at(name), false);
      return items === undefined ? [] : [place(items, at(name))];
    }
    default:
      return [];
  }
}

function additional(schema: Json, at: (name: string) => string): readonly Place[] {
  const value = field(schema, "additionalProperties");
  return isJson(value) ? [place(value, at("additionalProperties"))] : [];
}

function named(properties: unknown, path: string): readonly Place[] {
  return isJson(properties) ? Object.entries(properties).map(([name, value]) => place(value, `${path}.${name}`)) : [];
}

function listed(items: unknown, path: string, inAllOf: boolean): readonly Place[] {
  return Array.isArray(items)
    ? items.map((value: unknown, index) => ({ value, path: `${path}[${index}]`, inAllOf }))
    : [];
}

function place(value: unknown, path: string): Place {
  return { value, path, inAllOf: false };
}

/** As llama-common finds what a `$ref` names; `undefined`: there is nothing. */
export function resolve(root: unknown, ref: string): unknown {
  if (!ref.startsWith("#/")) return undefined;
  let value = root;
  for (const name of ref.slice(2).split("/")) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, name)) return undefined;
    value = Reflect.get(value, name);
  }
  return value;
}
