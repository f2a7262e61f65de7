import { ExoError } from "../../../core/errors.js";
import { inColumns } from "../../terminal/columns.js";
import { expectedNumber, readNumber, SAMPLING_FLAGS, type SamplingFlag } from "../sampling-flags.js";
import type { ChatActions, ChatCommand } from "./chat-command.js";

/** Takes a setting back. */
const DEFAULT = "default";

export const setCommand: ChatCommand = {
  names: ["set"],
  argument: "[name value]",
  description: "how to choose tokens, e.g. /set temperature 0.7; a value of default takes it back",
  run(chat, argument) {
    const [name = "", value = "", ...more] = argument.split(/[\s=]+/).filter((word) => word !== "");
    if (name === "") chat.print(settingLines(chat));
    else set(chat, settingNamed(name), [value, ...more].join(" "));
  },
  complete: async (_, typed) => {
    const words = typed.split(" ");
    if (words.length > 1) return [`${words[0]} ${DEFAULT}`];
    return SAMPLING_FLAGS.map(({ flag }) => flag);
  },
};

function set({ conversation, note }: ChatActions, spec: SamplingFlag, text: string): void {
  const { [spec.field]: _, ...others } = conversation.fields;
  if (text === DEFAULT) {
    conversation.fields = others;
    note(`${spec.flag} is the default`);
    return;
  }
  const value = readNumber(spec, text);
  if (value === null) {
    const received = text === "" ? "nothing" : `"${text}"`;
    throw new ExoError("invalid_argument", `Expected ${expectedNumber(spec)} for ${spec.flag}, received ${received}.`);
  }
  conversation.fields = { ...others, [spec.field]: value };
  note(`${spec.flag} is ${value}`);
}

function settingNamed(name: string): SamplingFlag {
  const wanted = name.toLowerCase().replaceAll("_", "-");
  const spec = SAMPLING_FLAGS.find(({ flag }) => flag === wanted);
  if (spec !== undefined) return spec;
  const known = SAMPLING_FLAGS.map(({ flag }) => flag).join(", ");
  throw new ExoError("invalid_argument", `There is no setting "${name}"; there are ${known}.`);
}

function settingLines({ conversation }: ChatActions): readonly string[] {
  const rows = SAMPLING_FLAGS.map(({ flag, field, description }) => [
    `  ${flag}`,
    String(conversation.fields[field] ?? DEFAULT),
    description,
  ]);
  return inColumns(rows);
}

export const systemCommand: ChatCommand = {
  names: ["system"],
  argument: "[text]",
  description: 'set the system prompt; """ holds several lines, none takes it back, nothing shows it',
  run({ conversation, note }, argument) {
    if (argument === "") {
      note(conversation.system === null ? "there is no system prompt" : `the system prompt: ${conversation.system}`);
    } else if (argument === "none") {
      conversation.system = null;
      note("there is no system prompt any more");
    } else {
      conversation.system = argument;
      note("the system prompt is set, and goes for the whole conversation");
    }
  },
  complete: async () => ["none"],
};

export const statsCommand: ChatCommand = {
  names: ["stats"],
  argument: "[on|off]",
  description: "what this conversation took; on or off: tell tokens and speed after each answer",
  async run(chat, argument) {
    if (argument === "on" || argument === "off") {
      chat.stats = argument === "on";
      chat.note(argument === "on" ? "each answer is followed by its numbers" : "no more numbers");
    } else if (argument === "") {
      chat.print(await statsLines(chat));
    } else {
      throw new ExoError("invalid_argument", `Expected on, off or nothing for /stats, received "${argument}".`);
    }
  },
  complete: async () => ["on", "off"],
};

async function statsLines(chat: ChatActions): Promise<readonly string[]> {
  const { conversation, lastOutcome } = chat;
  const numbers = lastOutcome?.numbers ?? null;
  const rows = [
    ["  model", conversation.model],
    ["  questions", String(conversation.exchanges)],
  ];
  if (numbers === null) return inColumns(rows);
  const { promptTokens, cachedTokens, answerTokens, prefillSeconds, tokensPerSecond } = numbers;
  const used = promptTokens + answerTokens;
  const context = await contextOf(chat);
  const prefill = prefillSeconds > 0 ? ` in ${prefillSeconds.toFixed(2)} s` : "";
  return inColumns([
    ...rows,
    ["  context", context === null ? `${used} tokens` : `${used} of ${context} tokens`],
    ["  last prompt", `${promptTokens} tokens, ${cachedTokens} of them computed before,${prefill || " at once"}`],
    ["  last answer", `${answerTokens} tokens at ${tokensPerSecond.toFixed(1)} tokens/s`],
  ]);
}

async function contextOf({ conversation, models }: ChatActions): Promise<number | null> {
  const listed = await models();
  return listed.find(({ id }) => id === conversation.model)?.contextSize ?? null;
}
