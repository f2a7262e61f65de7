import type { ListedModel } from "../../node-client/node-client.js";
import type { AnswerOutcome, Conversation } from "../conversation.js";

/** What a command of the chat can do. */
export interface ChatActions {
  readonly conversation: Conversation;
  /** Tell tokens and speed after each answer. */
  stats: boolean;
  /** What the last question brought, or `null`. */
  readonly lastOutcome: AnswerOutcome | null;
  models(): Promise<readonly ListedModel[]>;
  /** Lines for the person at the terminal. */
  print(lines: readonly string[]): void;
  /** One remark, set off from answers. */
  note(text: string): void;
  /** Has the last question answered anew. */
  answerAgain(): Promise<void>;
  leave(): void;
}

/** One word that begins with a slash. It throws an `ExoError` for what cannot be done. */
export interface ChatCommand {
  /** Without the slash; the first one is shown. */
  readonly names: readonly string[];
  /** What stands behind it in the help; `null`: nothing. */
  readonly argument: string | null;
  readonly description: string;
  run(chat: ChatActions, argument: string): Promise<void> | void;
  /** What an argument that begins so could be. */
  complete?(chat: ChatActions, typed: string): Promise<readonly string[]>;
}
