import { at } from "../api/json.js";

/** The fields of the parameter panel as they were typed. Empty: the node's default. */
export interface ParameterForm {
  readonly systemPrompt: string;
  readonly temperature: string;
  readonly topP: string;
  readonly topK: string;
  readonly minP: string;
  readonly maxTokens: string;
  readonly seed: string;
  /** One per line; a line's end within one is written `\n`. */
  readonly stop: string;
  /** `text`, `json_object` or `json_schema`. */
  readonly format: string;
  readonly schema: string;
  /** A JSON array of tools as OpenAI has them. */
  readonly tools: string;
}

export type ParameterName = keyof ParameterForm;

export const DEFAULT_PARAMETERS: ParameterForm = {
  systemPrompt: "",
  temperature: "",
  topP: "",
  topK: "",
  minP: "",
  maxTokens: "",
  seed: "",
  stop: "",
  format: "text",
  schema: "",
  tools: "",
};

export interface NumberField {
  readonly name: ParameterName;
  /** In the request. */
  readonly field: string;
  readonly label: string;
  readonly min: number;
  readonly max: number | null;
  readonly whole: boolean;
  /** What an empty field means. */
  readonly placeholder: string;
}

/** Bounds as `docs/api.md` has them; the placeholders are the node's defaults. */
export const NUMBER_FIELDS: readonly NumberField[] = [
  number("temperature", "temperature", "Temperature", 0, 100, false, "0.8"),
  number("topP", "top_p", "Top-p", 0, 1, false, "0.95"),
  number("topK", "top_k", "Top-k", -1, null, true, "40"),
  number("minP", "min_p", "Min-p", 0, 1, false, "0.05"),
  number("maxTokens", "max_tokens", "Most tokens to answer", 1, null, true, "until it ends"),
  number("seed", "seed", "Seed", -1, null, true, "random"),
];

/** As the node has it. */
const MOST_STOPS = 16;

export interface ReadParameters {
  /** Fields of the request; what is not said is left out. */
  readonly body: Readonly<Record<string, unknown>>;
  /** What is wrong, by field, in sentences. */
  readonly faults: Readonly<Partial<Record<ParameterName, string>>>;
}

/** What was kept of the form; everything else of it is as in the beginning. */
export function parseParameters(kept: unknown): ParameterForm {
  const text = (name: ParameterName): string => {
    const found = at(kept, name);
    return typeof found === "string" ? found : DEFAULT_PARAMETERS[name];
  };
  return {
    systemPrompt: text("systemPrompt"),
    temperature: text("temperature"),
    topP: text("topP"),
    topK: text("topK"),
    minP: text("minP"),
    maxTokens: text("maxTokens"),
    seed: text("seed"),
    stop: text("stop"),
    format: text("format"),
    schema: text("schema"),
    tools: text("tools"),
  };
}

export function readParameters(form: ParameterForm): ReadParameters {
  const body: Record<string, unknown> = {};
  const faults: Partial<Record<ParameterName, string>> = {};
  const take = (name: ParameterName, field: string, read: () => unknown): void => {
    try {
      const value = read();
      if (value !== undefined) body[field] = value;
    } catch (thrown) {
      faults[name] = thrown instanceof Error ? thrown.message : String(thrown);
    }
  };
  for (const field of NUMBER_FIELDS) take(field.name, field.field, () => readNumber(form[field.name], field));
  take("stop", "stop", () => readStops(form.stop));
  take("schema", "response_format", () => readFormat(form));
  take("tools", "tools", () => readTools(form.tools));
  return { body, faults };
}

function readNumber(text: string, { label, min, max, whole }: NumberField): number | undefined {
  if (text.trim() === "") return undefined;
  const value = Number(text);
  const fits = value >= min && (max === null || value <= max) && (!whole || Number.isSafeInteger(value));
  if (fits) return value;
  const range = max === null ? `${min} or more` : `${min} to ${max}`;
  throw new Error(`${label} is a ${whole ? "whole number" : "number"}, ${range}; empty is the node's default.`);
}

function readStops(text: string): readonly string[] | undefined {
  const lines = text.split("\n").filter((line) => line !== "");
  const stops = lines.map((line) => line.replaceAll("\\n", "\n"));
  if (stops.length > MOST_STOPS) throw new Error(`At most ${MOST_STOPS} stop texts are possible, one per line.`);
  return stops.length === 0 ? undefined : stops;
}

function readFormat({ format, schema }: ParameterForm): unknown {
  if (format === "json_object") return { type: "json_object" };
  if (format !== "json_schema") return undefined;
  const parsed = readJson(schema, "The schema");
  if (typeof parsed === "object" && parsed !== null && !Array.isArray(parsed)) {
    return { type: "json_schema", json_schema: { name: "answer", schema: parsed } };
  }
  throw new Error('The schema is a JSON object such as {"type": "object"}.');
}

function readTools(text: string): unknown {
  if (text.trim() === "") return undefined;
  const parsed = readJson(text, "The list of tools");
  if (Array.isArray(parsed) && parsed.length > 0) return parsed;
  throw new Error('Tools are a JSON array such as [{"type": "function", "function": {"name": "…"}}].');
}

function readJson(text: string, what: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new Error(`${what} is not JSON; look for a missing quote, comma or bracket.`);
  }
}

function number(
  name: ParameterName,
  field: string,
  label: string,
  min: number,
  max: number | null,
  whole: boolean,
  placeholder: string,
): NumberField {
  return { name, field, label, min, max, whole, placeholder };
}
