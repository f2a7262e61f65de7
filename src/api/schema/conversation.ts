import type { ChatMessage } from "../../core/inference.js";

export interface TextPart {
  readonly type: "text";
  readonly text: string;
}

interface Call {
  readonly id: string;
  readonly name: string;
  /** JSON text. */
  readonly arguments: string;
}

/** What an assistant did between two messages of others. */
interface Turn {
  readonly reasoning: string[];
  readonly parts: TextPart[];
  readonly calls: Call[];
}

/** Chat messages out of single steps: templates know one message per turn of the assistant. */
export class Conversation {
  readonly #messages: (ChatMessage | Turn)[] = [];
  #turn: Turn | null = null;

  /** A message of anybody else. */
  add(message: ChatMessage): void {
    this.#turn = null;
    this.#messages.push(message);
  }

  assistantThinks(text: string): void {
    if (text !== "") this.#current().reasoning.push(text);
  }

  assistantSays(parts: readonly TextPart[]): void {
    this.#current().parts.push(...parts);
  }

  assistantCalls(call: Call): void {
    this.#current().calls.push(call);
  }

  messages(): readonly ChatMessage[] {
    return this.#messages.map((one) => (isTurn(one) ? turnMessage(one) : one));
  }

  #current(): Turn {
    if (this.#turn === null) {
      this.#turn = { reasoning: [], parts: [], calls: [] };
      this.#messages.push(this.#turn);
    }
    return this.#turn;
  }
}

function isTurn(one: ChatMessage | Turn): one is Turn {
  return !("role" in one);
}

function turnMessage({ reasoning, parts, calls }: Turn): ChatMessage {
  const [only, ...others] = parts;
  const content = others.length === 0 ? only?.text : parts;
  return {
    role: "assistant",
    ...(content === undefined && calls.length > 0 ? {} : { content: content ?? "" }),
    ...(reasoning.length === 0 ? {} : { reasoning_content: reasoning.join("\n\n") }),
    ...(calls.length === 0 ? {} : { tool_calls: calls.map(callJson) }),
  };
}

function callJson({ id, name, arguments: text }: Call) {
  // Templates read the arguments as JSON.
  return { id, type: "function", function: { name, arguments: text === "" ? "{}" : text } };
}
