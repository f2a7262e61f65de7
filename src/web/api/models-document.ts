import { listAt, optionalNumberAt, textAt, textsAt } from "./json.js";

export type ModelState = "loaded" | "loading" | "unloaded";

/** An entry of `GET /v1/models`. */
export interface ListedModel {
  readonly id: string;
  readonly aliases: readonly string[];
  /** `unloaded`: the first message to it has it loaded. */
  readonly state: ModelState;
  /** Bytes of the file; `null` while nothing is known. */
  readonly sizeBytes: number | null;
  /** Tokens; `null` while it is not loaded. */
  readonly contextSize: number | null;
}

export function parseModels(body: unknown): readonly ListedModel[] {
  return listAt(body, "data")
    .map(parseModel)
    .filter(({ id }) => id !== "");
}

function parseModel(card: unknown): ListedModel {
  return {
    id: textAt(card, "id"),
    aliases: textsAt(card, "aliases"),
    state: parseState(textAt(card, "status", "value")),
    sizeBytes: optionalNumberAt(card, "meta", "size"),
    contextSize: optionalNumberAt(card, "meta", "n_ctx"),
  };
}

function parseState(text: string): ModelState {
  return text === "loading" || text === "unloaded" ? text : "loaded";
}
