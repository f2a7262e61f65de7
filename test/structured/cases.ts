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

const ASKS = ["Tell me about", "I dream of", "What do you think about", "Write something short on"];

/** Which of each list a case takes: mixed radix over the pairs of greedy and sampled, so that no two cases are the same. */
function choices(run: number, lists: readonly (readonly unknown[])[]): readonly number[] {
  let rest = Math.floor(run / 2);
  const most = lists.reduce((product, { length }) => product * length, 1);
  if (rest >= most) throw new Error(`there are only ${most} different pairs of cases`);
  return lists.map(({ length }) => {
    const at = rest % length;
    rest = Math.floor(rest / length);
    return at;
  });
}

/** Greedy with even numbers, else sampled with a seed of its own. */
function sampling(run: number): object {
  return run % 2 === 0 ? { temperature: 0 } : { temperature: 1, seed: run };
}

const question = (run: number, ask: string, subject: string) => ({
  messages: [{ role: "user", content: `${ask} ${subject}.` }],
  ...sampling(run),
  max_tokens: 600,
});

const messageSchema = z.object({ content: z.string() });
const choiceSchema = z.object({ finish_reason: z.string(), message: z.unknown() });
const callSchema = z.object({
  id: z.string().min(1),
  function: z.object({ name: z.string(), arguments: z.string() }),
});
type Call = z.infer<typeof callSchema>;
const callsSchema = z.object({ tool_calls: z.array(callSchema).nullish() });

function schemaCase(run: number): StructuredCase {
  const [schemaAt = 0, subjectAt = 0, askAt = 0] = choices(run, [SCHEMAS, SUBJECTS, ASKS]);
  const schema = SCHEMAS[schemaAt] ?? {};
  return {
    name: `schema ${run}`,
    body: {
      ...question(run, ASKS[askAt] ?? "", SUBJECTS[subjectAt] ?? ""),
      response_format: { type: "json_schema", json_schema: { name: "answer", schema } },
    },
    check(choice) {
      const { finish_reason: reason, message } = choiceSchema.parse(choice);
      if (reason !== "stop") throw new Error(`the answer ended with ${reason}`);
      z.fromJSONSchema(schema).parse(JSON.parse(messageSchema.parse(message).content));
    },
  };
}

/** How tools are offered, and which calls that allows. */
interface Offer {
  readonly fields: Readonly<Record<string, unknown>>;
  /** Names of the tools that may be called. */
  readonly allowed: readonly string[];
  /** There has to be a call. */
  readonly required: boolean;
  /** At most so many calls. */
  readonly most: number;
}

const ALL = TOOLS.map(({ name }) => name);
// One call where it must be whole, for a model that knows nothing may make them without end.
const ONE_CALL = { parallel_tool_calls: false };
const named = (name: string): Offer => ({
  fields: { ...ONE_CALL, tool_choice: { type: "function", function: { name } } },
  allowed: [name],
  required: true,
  most: 1,
});

const OFFERS: readonly Offer[] = [
  { fields: { ...ONE_CALL, tool_choice: "required" }, allowed: ALL, required: true, most: 1 },
  { fields: { ...ONE_CALL, tool_choice: "auto", max_tokens: 150 }, allowed: ALL, required: false, most: 1 },
  ...ALL.map(named),
  {
    fields: { parallel_tool_calls: true, tool_choice: "required", max_tokens: 150 },
    allowed: ALL,
    required: true,
    most: Number.POSITIVE_INFINITY,
  },
];

function toolCase(run: number): StructuredCase {
  const [offerAt = 0, subjectAt = 0, askAt = 0] = choices(run, [OFFERS, SUBJECTS, ASKS]);
  const offer = OFFERS[offerAt] ?? named("lamp");
  return {
    name: `tool ${run}`,
    body: {
      ...question(run, ASKS[askAt] ?? "", SUBJECTS[subjectAt] ?? ""),
      tools: TOOLS.map((tool) => ({ type: "function", function: tool })),
      ...offer.fields,
    },
    check(choice) {
      const { finish_reason: reason, message } = choiceSchema.parse(choice);
      checkCalls(offer, reason, callsSchema.parse(message).tool_calls ?? []);
    },
  };
}

function checkCalls({ allowed, required, most }: Offer, reason: string, calls: readonly Call[]): void {
  if (required && calls.length === 0) throw new Error("no tool was called");
  if (calls.length > most) throw new Error(`${calls.length} calls were made`);
  // Where a call need not be, the answer may be text of any length; where there may be many, the limit may come first.
  const mayBeCut = !required || most > 1;
  const ends = calls.length > 0 ? "tool_calls" : "stop";
  if (reason !== ends && !(mayBeCut && reason === "length")) throw new Error(`the answer ended with ${reason}`);
  // Only the last one can have been cut.
  const whole = reason === "length" ? calls.slice(0, -1) : calls;
  for (const call of whole) {
    const tool = TOOLS.find(({ name }) => name === call.function.name);
    if (tool === undefined || !allowed.includes(tool.name)) throw new Error(`there is no tool ${call.function.name}`);
    z.fromJSONSchema(tool.parameters).parse(JSON.parse(call.function.arguments));
  }
}

/** @param each so many with a schema, and so many with tools; every second one is greedy */
export function structuredCases(each: number): readonly StructuredCase[] {
  const runs = Array.from({ length: each }, (_, run) => run);
  return [...runs.map(schemaCase), ...runs.map(toolCase)];
}
