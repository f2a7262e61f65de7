import { ExoError } from "../core/errors.js";

/**
 * What llama-common turns into a grammar in a moment. It recurses, copies the names of an object's optional properties
 * for each of them and for each again, and joins the names on the way down into the names of its rules.
 */
const MOST = {
  depth: 96,
  /** Values of any kind in the whole schema. */
  values: 20_000,
  /** Of one object. */
  optionalProperties: 256,
  /** UTF-16 units of the property names from the root to a value. */
  nameLength: 2_000,
  patterns: 200,
  /** UTF-16 units. */
  patternLength: 2_000,
  /** Values of any kind in all tools together. */
  toolValues: 20_000,
  /** UTF-16 units of all tools together, as JSON. */
  toolLength: 1_000_000,
  /** Over all objects of all tools, the squares of how many properties are not required: the size of their rules. */
  optionalSquares: 250_000,
};

/** The field of a request that holds an answer's schema. */
export const ANSWER_SCHEMA = "response_format";

interface Place {
  readonly value: unknown;
  readonly depth: number;
  readonly nameLength: number;
}

/** How much of a grammar a schema makes. */
interface SchemaSize {
  readonly values: number;
  readonly optionalSquares: number;
}

/** Throws `invalid_argument` for tools that would keep the node busy for long, alone or together. */
export function checkToolSizes(tools: readonly unknown[]): void {
  const { length } = JSON.stringify(tools);
  if (length > MOST.toolLength) {
    const message = `The tools have ${length} characters together; at most ${MOST.toolLength} are allowed.`;
    throw new ExoError("invalid_argument", message, { param: "tools" });
  }
  let [values, optionalSquares] = [0, 0];
  for (const [index, tool] of tools.entries()) {
    const size = checkSchema(tool, `tools[${index}]`);
    values += size.values;
    optionalSquares += size.optionalSquares;
    if (values <= MOST.toolValues && optionalSquares <= MOST.optionalSquares) continue;
    const what =
      values > MOST.toolValues ? `more than ${MOST.toolValues} values` : "too many properties that are not required";
    throw new ExoError("invalid_argument", `The schemas of the tools have ${what} together; send fewer tools.`, {
      param: "tools",
    });
  }
}

/** Throws `invalid_argument` for a JSON schema that would keep the node busy for long, or exhaust its stack. */
export function checkSchema(schema: unknown, param: string): SchemaSize {
  const refuse = (what: string, most: number): never => {
    throw new ExoError("invalid_argument", `A JSON schema has ${what}; at most ${most} are allowed.`, { param });
  };
  const waiting: Place[] = [{ value: schema, depth: 1, nameLength: 0 }];
  let values = 0;
  let patterns = 0;
  let optionalSquares = 0;
  for (let place = waiting.pop(); place !== undefined; place = waiting.pop()) {
    const { value, depth, nameLength } = place;
    values += 1;
    if (values > MOST.values) refuse(`more than ${MOST.values} values`, MOST.values);
    if (!isObject(value)) continue;
    if (depth > MOST.depth) refuse(`more than ${MOST.depth} levels`, MOST.depth);
    const optional = optionalProperties(value);
    optionalSquares += optional ** 2;
    if (optional > MOST.optionalProperties) {
      refuse(`an object with ${optional} properties that are not required`, MOST.optionalProperties);
    }
    const pattern: unknown = Object.hasOwn(value, "pattern") ? Reflect.get(value, "pattern") : undefined;
    if (typeof pattern === "string") {
      patterns += 1;
      if (patterns > MOST.patterns) refuse(`more than ${MOST.patterns} patterns`, MOST.patterns);
      if (pattern.length > MOST.patternLength) refuse("a longer pattern of characters", MOST.patternLength);
    }
    for (const [name, child] of Object.entries(value)) {
      const length = nameLength + (Array.isArray(value) ? 0 : name.length);
      if (length > MOST.nameLength) refuse("names of properties that are longer together", MOST.nameLength);
      waiting.push({ value: child, depth: depth + 1, nameLength: length });
    }
  }
  return { values, optionalSquares };
}

/** As `checkSchema`, of the schema that an answer must match. Throws for text that is no JSON, too. */
export function checkSchemaText(text: string): void {
  checkSchema(parse(text), ANSWER_SCHEMA);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (thrown) {
    const message = "The schema of the answer is not JSON.";
    throw new ExoError("invalid_argument", message, { cause: thrown, param: ANSWER_SCHEMA });
  }
}

function optionalProperties(schema: object): number {
  const properties: unknown = Object.hasOwn(schema, "properties") ? Reflect.get(schema, "properties") : undefined;
  const required: unknown = Object.hasOwn(schema, "required") ? Reflect.get(schema, "required") : undefined;
  if (!isObject(properties)) return 0;
  const needed = new Set<unknown>(Array.isArray(required) ? required : []);
  return Object.keys(properties).filter((name) => !needed.has(name)).length;
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}
