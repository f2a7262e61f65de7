import { z } from "zod";
import { parseBody, wrongField } from "./parse-body.js";
import { isTokenId } from "./token-id.js";

const tokenizeSchema = z.object({
  model: z.string().nullish(),
  content: z.string(),
  add_special: z.boolean().nullish(),
  parse_special: z.boolean().nullish(),
  with_pieces: z.boolean().nullish(),
});

const detokenizeSchema = z.object({ model: z.string().nullish(), tokens: z.array(z.unknown()) });

export interface ParsedTokenize {
  readonly model: string | null;
  readonly content: string;
  readonly addSpecial: boolean;
  readonly parseSpecial: boolean;
  readonly withPieces: boolean;
}

/** Defaults are llama-server's. */
export function parseTokenize(body: unknown): ParsedTokenize {
  const parsed = parseBody(tokenizeSchema, body);
  return {
    model: parsed.model ?? null,
    content: parsed.content,
    addSpecial: parsed.add_special ?? false,
    parseSpecial: parsed.parse_special ?? true,
    withPieces: parsed.with_pieces ?? false,
  };
}

export function parseDetokenize(body: unknown): { readonly model: string | null; readonly tokens: readonly number[] } {
  const parsed = parseBody(detokenizeSchema, body);
  const wrong = parsed.tokens.findIndex((item) => !isTokenId(item));
  if (wrong >= 0) throw wrongField(["tokens", wrong], "a token id", body);
  return { model: parsed.model ?? null, tokens: parsed.tokens.filter(isTokenId) };
}
