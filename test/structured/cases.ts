import { z } from "zod";

/** One answer that must be valid, whatever the model makes of the question. */
export interface StructuredCase {
  readonly name: string;
  /** Of `/v1/chat/completions`. */
  readonly body: Readonly<Record<string, unknown>>;
  /** Throws when the answer is not valid. */
  check(choice: unknown): void;
}

type Schema = Parameters<typeof z.fromJSONSchema>[0] & object;

const object = (properties: Record<string, Schema>): Schema => ({
  type: "object",
  properties,
  required: Object.keys(properties),
  additionalProperties: false,
});
const short: Schema = { type: "string", maxLength: 12 };

/** What applications ask for: enumerations, numbers in bounds, lists, objects within objects, choices. */
const SCHEMAS: readonly Schema[] = [
  object({ name: short, kind: { enum: ["person", "place", "thing"] } }),
  object({ score: { type: "integer", minimum: 1, maximum: 10 }, certain: { type: "boolean" } }),
  object({ words: { type: "array", items: short, minItems: 1, maxItems: 3 } }),
  object({
    where: object({ city: short, code: { type: "string", pattern: "^[A-Z]{2}$" } }),
    open: { type: "boolean" },
  }),
  object({ answer: { anyOf: [{ type: "null" }, { type: "integer", minimum: 0, maximum: 99 }] } }),
];

interface Tool {
  readonly name: string;
  readonly parameters: Schema;
}

const TOOLS: readonly Tool[] = [
  { name: "weather", parameters: object({ city: short, unit: { enum: ["celsius", "fahrenheit"] } }) },
  { name: "remind", parameters: object({ text: short, minutes: { type: "integer", minimum: 1, maximum: 60 } }) },
  { name: "lamp", parameters: object({ on: { type: "boolean" } }) },
];

const SUBJECTS = [
  "a dog",
  "Oslo",
  "a red ball",
  "my sister",
  "the moon",
  "rain",
  "a train",
  "music",
  "bread",
  "a door",
];

/** Greedy with even numbers, else sampled with a seed of its own. */
function sampling(run: number): object {
  return run % 2 === 0 ? { temperature: 0 } : { temperature: 1, seed: run };
}

const question = (run: number, ask: string) => ({
  messages: [{ role: "user", content: `${ask} ${SUBJECTS[Math.floor(run / 2) % SUBJECTS.length] ?? ""}.` }],
  ...sampling(run),
  max_tokens: 600,
});

const messageSchema = z.object({ content: z.string() });
const choiceSchema = z.object({ finish_reason: z.string(), message: z.unknown() });
const callsSchema = z.object({
  tool_calls: z.array(
    z.object({ id: z.string().min(1), function: z.object({ name: z.string(), arguments: z.string() }) }),
  ),
});

function schemaCase(run: number): StructuredCase {
  const schema = SCHEMAS[Math.floor(run / 2) % SCHEMAS.length] ?? {};
  return {
    name: `schema ${run}`,
    body: {
      ...question(run, "Tell me about"),
      response_format: { type: "json_schema", json_schema: { name: "answer", schema } },
    },
    check(choice) {
      const { finish_reason: reason, message } = choiceSchema.parse(choice);
      if (reason !== "stop") throw new Error(`the answer ended with ${reason}`);
      z.fromJSONSchema(schema).parse(JSON.parse(messageSchema.parse(message).content));
    },
  };
}

function toolCase(run: number): StructuredCase {
  return {
    name: `tool ${run}`,
    body: {
      ...question(run, "Do something about"),
      tools: TOOLS.map((tool) => ({ type: "function", function: tool })),
      tool_choice: "required",
      // One call, for a model that knows nothing may make them without end.
      parallel_tool_calls: false,
    },
    check(choice) {
      const { finish_reason: reason, message } = choiceSchema.parse(choice);
      if (reason !== "tool_calls") throw new Error(`the answer ended with ${reason}`);
      const { tool_calls: calls } = callsSchema.parse(message);
      if (calls.length === 0) throw new Error("no tool was called");
      for (const call of calls) {
        const tool = TOOLS.find(({ name }) => name === call.function.name);
        if (tool === undefined) throw new Error(`there is no tool ${call.function.name}`);
        z.fromJSONSchema(tool.parameters).parse(JSON.parse(call.function.arguments));
      }
    },
  };
}

/** @param each so many with a schema, and so many with tools; every second one is greedy */
export function structuredCases(each: number): readonly StructuredCase[] {
  const runs = Array.from({ length: each }, (_, run) => run);
  return [...runs.map(schemaCase), ...runs.map(toolCase)];
}
