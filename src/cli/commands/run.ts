import { text } from "node:stream/consumers";
import { AnswerPrinter, outcomeText } from "../chat/answer-printer.js";
import { type ChatService, findChatService } from "../chat/chat-service.js";
import { type Ask, Conversation } from "../chat/conversation.js";
import { chatInTerminal } from "../chat/interactive-chat.js";
import { samplingFields } from "../chat/sampling-flags.js";
import { UsageError } from "../failure.js";
import type { NodeClient } from "../node-client/node-client.js";
import type { CliIo } from "../terminal/cli-io.js";
import { paintFor } from "../terminal/paint.js";

/** Answers one prompt, or chats when there is none and a terminal is there. */
export async function run(
  model: string,
  words: readonly string[],
  options: Readonly<Record<string, unknown>>,
  io: CliIo,
): Promise<void> {
  const prompt = await promptOf(words, io);
  const service = await findChatService(model, options, io);
  try {
    const conversation = conversationOver(service, options, io);
    if (prompt === null)
      await chatInTerminal({ conversation, io, stats: options.stats === true, model: service.model });
    else await answerOnce(conversation, prompt, options.stats === true, io);
  } finally {
    await service.stop();
  }
}

/** The words of the command line, else what is piped in; `null`: a person sits at a terminal. */
async function promptOf(words: readonly string[], io: CliIo): Promise<string | null> {
  if (words.length > 0) return words.join(" ");
  if (io.stdin.isTTY === true) return null;
  const piped = (await text(io.stdin)).trim();
  if (piped === "") throw new UsageError("There is no prompt: give one after the model, or pipe one in.");
  return piped;
}

function conversationOver(service: ChatService, options: Readonly<Record<string, unknown>>, io: CliIo): Conversation {
  return new Conversation({
    ask: options.raw === true ? rawAsk(service.client) : (request, signal) => service.client.chat(request, signal),
    model: service.model,
    fields: samplingFields(options),
    system: typeof options.system === "string" ? options.system : null,
    now: io.now,
  });
}

/** The last message alone, without any template. */
function rawAsk(client: NodeClient): Ask {
  return ({ messages, ...fields }, signal) =>
    client.complete({ ...fields, model: fields.model, prompt: messages.at(-1)?.content ?? "" }, signal);
}

async function answerOnce(conversation: Conversation, prompt: string, stats: boolean, io: CliIo): Promise<void> {
  const printer = new AnswerPrinter(io.stdout, paintFor(io.stdout, io.env));
  const outcome = await conversation.say(prompt, (piece) => printer.print(piece), new AbortController().signal);
  printer.finish();
  const numbers = stats ? outcomeText(outcome) : null;
  if (numbers !== null) io.stderr.write(`(${numbers})\n`);
}
