import { homedir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { resolvePaths } from "../../config/paths.js";
import { ExoError } from "../../core/errors.js";
import { AnswerPrinter, outcomeText } from "../chat/answer-printer.js";
import { ChatHistory } from "../chat/chat-history.js";
import { type ChatService, findChatService } from "../chat/chat-service.js";
import { type Ask, Conversation } from "../chat/conversation.js";
import { chatInTerminal } from "../chat/interactive-chat.js";
import { showingLoading } from "../chat/loading-watch.js";
import { samplingFields } from "../chat/sampling-flags.js";
import { EXIT, UsageError } from "../failure.js";
import type { NodeClient } from "../node-client/node-client.js";
import { StopRequest } from "../stop-request.js";
import { type CliIo, isRedirected } from "../terminal/cli-io.js";
import { paintFor } from "../terminal/paint.js";

type Options = Readonly<Record<string, unknown>>;

/** Answers one prompt, or chats when there is none and a terminal is there. */
export async function run(model: string, words: readonly string[], options: Options, io: CliIo): Promise<void> {
  const prompt = await promptOf(words, io);
  const service = await findChatService(model, options, io);
  const stop = new StopRequest(process, io.now, () => process.exit(EXIT.failed));
  try {
    const conversation = conversationOver(service, options, io);
    if (prompt === null) await chat(conversation, service, options, stop.signal, io);
    else await answerOnce(conversation, prompt, options.stats === true, stop.signal, io);
  } finally {
    stop.release();
    await service.stop();
  }
}

/** The words of the command line, with what is piped in below them; `null`: a person sits at a terminal. */
async function promptOf(words: readonly string[], io: CliIo): Promise<string | null> {
  const said = words.join(" ");
  if (said !== "" && !isRedirected(io.stdin)) return said;
  if (said === "" && io.stdin.isTTY === true) return null;
  const piped = (await text(io.stdin)).trim();
  if (said === "" && piped === "") {
    throw new UsageError("There is no prompt: give one after the model, or pipe one in.");
  }
  return [said, piped].filter((part) => part !== "").join("\n\n");
}

async function chat(
  conversation: Conversation,
  { client }: ChatService,
  options: Options,
  signal: AbortSignal,
  io: CliIo,
): Promise<void> {
  const complain = (thrown: unknown): void => void io.stderr.write(`${ExoError.from(thrown).message}\n`);
  const history = await historyFor(options, io).catch((thrown: unknown) => {
    complain(thrown);
    return ChatHistory.inMemory();
  });
  const stats = options.stats !== false;
  await chatInTerminal({ conversation, io, stats, history, models: () => client.models(), signal });
  await history.saved().catch(complain);
}

/** Where the identity is, too; nowhere with `--no-history`. */
async function historyFor({ history }: Options, { env }: CliIo): Promise<ChatHistory> {
  if (history === false || isOn(env.EXO_NATIVE_NO_HISTORY)) return ChatHistory.inMemory();
  return ChatHistory.open(join(resolvePaths(env, homedir()).configDir, "chat-history"));
}

function isOn(variable: string | undefined): boolean {
  return variable !== undefined && !["", "0", "false", "no", "off"].includes(variable.toLowerCase());
}

function conversationOver(service: ChatService, options: Options, io: CliIo): Conversation {
  const { client } = service;
  const ask: Ask = options.raw === true ? rawAsk(client) : (request, signal) => client.chat(request, signal);
  return new Conversation({
    ask: showingLoading(ask, client, io),
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

async function answerOnce(
  conversation: Conversation,
  prompt: string,
  stats: boolean,
  signal: AbortSignal,
  io: CliIo,
): Promise<void> {
  const printer = new AnswerPrinter(io.stdout, paintFor(io.stdout, io.env));
  const outcome = await conversation.say(prompt, (piece) => printer.print(piece), signal);
  printer.finish();
  if (outcome.finishReason === "stopped") throw new ExoError("cancelled", "Stopped before the answer had ended.");
  const numbers = stats ? outcomeText(outcome) : null;
  if (numbers !== null) io.stderr.write(`(${numbers})\n`);
}
