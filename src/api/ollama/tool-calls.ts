import { newId } from "../../core/ids.js";
import type { ToolCallDelta } from "../../core/inference.js";

export interface OllamaToolCall {
  readonly id: string;
  readonly function: {
    readonly index: number;
    readonly name: string;
    /** An object; what a model writes that is none stays text. */
    readonly arguments: unknown;
  };
}

/** Calls are sent whole, so each is kept back until the next one begins, or the answer ends. */
export class ToolCallGatherer {
  #open: { readonly index: number; readonly id: string; readonly name: string; json: string } | null = null;

  /** Returns the calls that are whole now. */
  push(deltas: readonly ToolCallDelta[]): readonly OllamaToolCall[] {
    return deltas.flatMap(({ index, id, name = "", arguments: json = "" }) => {
      if (this.#open?.index === index) {
        this.#open.json += json;
        return [];
      }
      const whole = this.finish();
      this.#open = { index, id: id || newId("call"), name, json };
      return whole;
    });
  }

  finish(): readonly OllamaToolCall[] {
    if (this.#open === null) return [];
    const { index, id, name, json } = this.#open;
    this.#open = null;
    return [{ id, function: { index, name, arguments: argumentsOf(json) } }];
  }
}

function argumentsOf(json: string): unknown {
  if (json.trim() === "") return {};
  try {
    return JSON.parse(json);
  } catch {
    return json;
  }
}
