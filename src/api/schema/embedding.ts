import { z } from "zod";
import { ExoError } from "../../core/errors.js";
import { parseBody, wrongField } from "./parse-body.js";
import { isTokenId } from "./token-id.js";

/** As OpenAI has it. */
const MAX_INPUTS = 2048;

const schema = z.object({
  model: z.string().nullish(),
  encoding_format: z.enum(["float", "base64"]).nullish(),
  dimensions: z.int().min(1).nullish(),
  /** llama-server's; its 0 and p-norms are not done. */
  embd_normalize: z.int().nullish(),
});

export type EmbeddingInput = string | readonly number[];

export interface ParsedEmbedding {
  readonly model: string | null;
  readonly inputs: readonly EmbeddingInput[];
  readonly format: "float" | "base64";
  readonly dimensions: number | null;
  readonly normalize: boolean;
}

export function parseEmbedding(body: unknown): ParsedEmbedding {
  const parsed = parseBody(schema, body);
  const inputs = parseInputs(body);
  if (inputs.length > MAX_INPUTS) {
    const message = `The request has ${inputs.length} inputs; send at most ${MAX_INPUTS} at a time.`;
    throw new ExoError("invalid_argument", message, { param: "input" });
  }
  return {
    model: parsed.model ?? null,
    inputs,
    format: parsed.encoding_format ?? "float",
    dimensions: parsed.dimensions ?? null,
    normalize: toNormalize(parsed.embd_normalize ?? 2),
  };
}

/** 2 is the Euclidean length, -1 none. */
function toNormalize(embdNormalize: number): boolean {
  if (embdNormalize === 2) return true;
  if (embdNormalize === -1) return false;
  throw new ExoError(
    "unsupported",
    `The field embd_normalize is supported with 2 (a length of 1) and -1 (as the model gives them), not ${embdNormalize}.`,
    { param: "embd_normalize" },
  );
}

/** A text, several texts, token ids, or several arrays of token ids: read by hand, for such arrays are long. */
function parseInputs(body: unknown): readonly EmbeddingInput[] {
  const value: unknown = typeof body === "object" && body !== null ? Reflect.get(body, "input") : undefined;
  if (typeof value === "string") return [value];
  if (Array.isArray(value) && value.length > 0) {
    if (typeof value[0] === "number") return [tokenIds(value, ["input"], body)];
    return value.map((item: unknown, index) => parseInput(item, index, body));
  }
  throw wrongField(["input"], "a string, an array of strings, or token ids", body);
}

function parseInput(item: unknown, index: number, body: unknown): EmbeddingInput {
  if (typeof item === "string") return item;
  if (Array.isArray(item) && item.length > 0) return tokenIds(item, ["input", index], body);
  throw wrongField(["input", index], "a string or an array of token ids", body);
}

function tokenIds(items: readonly unknown[], path: readonly PropertyKey[], body: unknown): readonly number[] {
  const wrong = items.findIndex((item) => !isTokenId(item));
  if (wrong >= 0) throw wrongField([...path, wrong], "a token id", body);
  return items.filter(isTokenId);
}
