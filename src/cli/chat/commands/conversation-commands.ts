import { ExoError } from "../../../core/errors.js";
import { loadChat, saveChat } from "../saved-chat.js";
import type { ChatCommand } from "./chat-command.js";
import { completePath } from "./complete-path.js";

export const clearCommand: ChatCommand = {
  names: ["clear", "new"],
  argument: null,
  description: "forget the conversation so far, but for the system prompt",
  run({ conversation, note }) {
    conversation.clear();
    note("the conversation is forgotten");
  },
};

export const regenerateCommand: ChatCommand = {
  names: ["regenerate", "retry"],
  argument: null,
  description: "answer the last question anew",
  run: (chat) => chat.answerAgain(),
};

export const undoCommand: ChatCommand = {
  names: ["undo"],
  argument: null,
  description: "take back the last question and its answer",
  run({ conversation, note }) {
    const question = conversation.undo();
    note(question === null ? "there is nothing to take back" : `taken back: ${oneLine(question)}`);
  },
};

export const saveCommand: ChatCommand = {
  names: ["save"],
  argument: "<file>",
  description: "write the conversation to a file",
  async run({ conversation, note }, argument) {
    const { model, messages } = conversation;
    note(`saved to ${await saveChat(needed(argument, "/save chat.json"), { model, messages })}`);
  },
  complete: (_, typed) => completePath(typed),
};

export const loadCommand: ChatCommand = {
  names: ["load"],
  argument: "<file>",
  description: "go on with a conversation that was saved; the model stays",
  async run({ conversation, note }, argument) {
    const { messages, model } = await loadChat(needed(argument, "/load chat.json"));
    conversation.resume(messages);
    const other = model === conversation.model ? "" : `; it was had with ${model}`;
    note(`${conversation.exchanges} ${conversation.exchanges === 1 ? "question" : "questions"} loaded${other}`);
  },
  complete: (_, typed) => completePath(typed),
};

function needed(argument: string, example: string): string {
  if (argument !== "") return argument;
  throw new ExoError("invalid_argument", `Say which file, e.g. ${example}.`);
}

const LONGEST_SHOWN = 60;

function oneLine(text: string): string {
  const line = text.replaceAll(/\s+/g, " ");
  return line.length > LONGEST_SHOWN ? `${line.slice(0, LONGEST_SHOWN)}…` : line;
}
