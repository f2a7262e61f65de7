import { z } from "zod";
import type { EmbedRequest } from "../../core/inference.js";
import { list } from "../schema/list.js";
import { parseBody } from "../schema/parse-body.js";
import { nameFields, nameOf, plainName } from "./names.js";
import { commonFields, keepAliveOf } from "./options.js";

const MAX_INPUTS = 2048;

const { keep_alive } = commonFields;

const embedSchema = z.object({
  ...nameFields,
  keep_alive,
  input: z.union([z.string(), list(z.string(), { min: 0, max: MAX_INPUTS })], {
    error: "a string or an array of strings",
  }),
  truncate: z.boolean().nullish(),
  dimensions: z.int().min(1).nullish(),
});

const embeddingsSchema = z.object({ ...nameFields, keep_alive, prompt: z.string() });

export interface OllamaEmbedding {
  /** As the client wrote it. */
  readonly name: string;
  readonly model: string;
  readonly keepAliveSeconds: number | null;
  readonly request: Omit<EmbedRequest, "id" | "model">;
}

/** The body of `POST /api/embed`. Texts that are too long lose their end, unless `truncate` is false. */
export function parseEmbed(body: unknown): OllamaEmbedding {
  const parsed = parseBody(embedSchema, body);
  return {
    ...settingsOf(parsed, body),
    request: {
      inputs: [parsed.input].flat(),
      normalize: true,
      truncate: parsed.truncate ?? true,
      ...(parsed.dimensions == null ? {} : { dimensions: parsed.dimensions }),
    },
  };
}

/** The body of `POST /api/embeddings`, which is older: one text, and numbers as the model gives them. */
export function parseEmbeddings(body: unknown): OllamaEmbedding {
  const parsed = parseBody(embeddingsSchema, body);
  return { ...settingsOf(parsed, body), request: { inputs: [parsed.prompt], normalize: false, truncate: true } };
}

const settingsSchema = z.object({ ...nameFields, keep_alive });

function settingsOf(parsed: z.output<typeof settingsSchema>, body: unknown): Omit<OllamaEmbedding, "request"> {
  const name = nameOf(parsed, body);
  return { name, model: plainName(name), keepAliveSeconds: keepAliveOf(parsed.keep_alive, body) };
}
