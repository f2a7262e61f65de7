/** A conversation is a tree: an edited question and another answer are branches beside the first ones. */

export interface ToolCall {
  readonly id: string;
  readonly name: string;
  /** JSON, as the model wrote it. */
  readonly arguments: string;
}

/** Measured by the page and the node; `null`: not known. */
export interface AnswerFacts {
  /** Milliseconds to the first token. */
  readonly ttft: number | null;
  readonly tokensPerSecond: number | null;
  readonly tokens: number;
  readonly promptTokens: number | null;
  readonly cachedTokens: number | null;
  /** Milliseconds that the model thought before it answered; 0: it did not. */
  readonly thinking: number;
}

/** `writing` in storage means that the page was closed in the middle. */
export const ENDINGS = ["complete", "length", "tool_calls", "stopped", "failed", "writing"] as const;
export type Ending = (typeof ENDINGS)[number];

interface TurnBase {
  readonly id: string;
  /** The turn it follows; `null`: the beginning. */
  readonly parent: string | null;
  readonly text: string;
}

export interface Question extends TurnBase {
  readonly role: "user";
}

export interface Failure {
  readonly message: string;
  /** Of `docs/errors.md`, or of the page's own `ServerError`. */
  readonly code: string;
  readonly retryAfterSeconds: number | null;
}

export interface Answer extends TurnBase {
  readonly role: "assistant";
  readonly model: string;
  readonly reasoning: string;
  readonly toolCalls: readonly ToolCall[];
  readonly ending: Ending;
  readonly failure: Failure | null;
  readonly facts: AnswerFacts | null;
  /** By which the node's log and traces know it; empty when there was no answer. */
  readonly requestId: string;
}

export type Turn = Question | Answer;

export interface Conversation {
  readonly id: string;
  /** Of the reader; empty: the beginning of the first question is shown. */
  readonly name: string;
  /** Milliseconds since 1970. */
  readonly created: number;
  readonly updated: number;
  /** In order of their making: a parent comes before its children. */
  readonly turns: readonly Turn[];
  /** The last turn of the branch that is shown. */
  readonly leaf: string | null;
}

const TITLE_LENGTH = 60;

export function newConversation(id: string, now: number): Conversation {
  return { id, name: "", created: now, updated: now, turns: [], leaf: null };
}

/** The branch that is shown, from the beginning. */
export function branchOf({ turns, leaf }: Conversation): readonly Turn[] {
  const left = new Map(turns.map((turn) => [turn.id, turn]));
  const branch: Turn[] = [];
  for (let turn = leaf === null ? undefined : left.get(leaf); turn !== undefined; ) {
    branch.push(turn);
    // Storage may hold anything, a circle too: no turn comes twice.
    left.delete(turn.id);
    turn = turn.parent === null ? undefined : left.get(turn.parent);
  }
  return branch.reverse();
}

/** The turns that could stand where this one does, itself among them. */
export function siblingsOf({ turns }: Conversation, turn: Turn): readonly Turn[] {
  return turns.filter(({ parent }) => parent === turn.parent);
}

/** Adds a turn and shows its branch. */
export function withTurn(conversation: Conversation, turn: Turn, now: number): Conversation {
  return { ...conversation, turns: [...conversation.turns, turn], leaf: turn.id, updated: now };
}

/** The same with one turn exchanged for its newer self. */
export function withChanged(conversation: Conversation, changed: Turn, now: number): Conversation {
  const turns = conversation.turns.map((turn) => (turn.id === changed.id ? changed : turn));
  return { ...conversation, turns, updated: now };
}

/** Shows the branch through this turn, along the newest turns after it. */
export function showing(conversation: Conversation, id: string): Conversation {
  const { turns } = conversation;
  // Of several children the last one stays in the map.
  const newest = new Map(turns.flatMap((turn) => (turn.parent === null ? [] : [[turn.parent, turn.id] as const])));
  let leaf = id;
  for (let steps = 0; steps < turns.length; steps += 1) leaf = newest.get(leaf) ?? leaf;
  return { ...conversation, leaf };
}

export function titleOf({ name, turns }: Conversation): string {
  if (name !== "") return name;
  const first =
    turns
      .find(({ role }) => role === "user")
      ?.text.replaceAll(/\s+/g, " ")
      .trim() ?? "";
  if (first === "") return "New chat";
  return first.length > TITLE_LENGTH ? `${first.slice(0, TITLE_LENGTH - 1).trimEnd()}…` : first;
}
