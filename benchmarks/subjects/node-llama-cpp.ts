import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import type { Measure } from "../cases/bench-case.js";
import type { Figures } from "../figures.js";
import { coreOf, pinned } from "../host/pinning.js";
import { SHORT_PROMPT, STEP, storyText } from "../prompts.js";
import { cannotMeasure, type Subject, type SubjectContext } from "./subject.js";

export const questionSchema = z.object({
  modelPath: z.string(),
  contextSize: z.int(),
  text: z.string(),
  /** Where in the text the prompt begins, in tokens. */
  offset: z.int(),
  promptTokens: z.int(),
  /** To decode after the first. */
  tokens: z.int(),
});

const replySchema = z.union([
  z.object({ answer: z.object({ promptMs: z.number(), decodeMs: z.number(), decoded: z.int() }) }),
  z.object({ failure: z.string() }),
]);

const WARM_UP_PROMPT = 32;
const WARM_UP_ANSWER = 8;

/** node-llama-cpp in a process of its own, with one thread and the same libraries. */
export class NodeLlamaCpp implements Subject {
  readonly #child: ChildProcess;
  readonly #context: SubjectContext;
  readonly #text: string;
  #offset = 0;

  private constructor(child: ChildProcess, context: SubjectContext, text: string) {
    this.#child = child;
    this.#context = context;
    this.#text = text;
  }

  static async start(context: SubjectContext): Promise<NodeLlamaCpp> {
    const script = fileURLToPath(new URL("./node-llama-cpp-process.js", import.meta.url));
    const command = [...pinned(context.pinning, coreOf(0, context.pinning)), process.execPath, script];
    const [program = "", ...args] = command;
    const child = spawn(program, args, { stdio: ["ignore", "ignore", "ignore", "ipc"] });
    return new NodeLlamaCpp(child, context, await storyText());
  }

  async warmUp(): Promise<void> {
    await this.#ask(WARM_UP_PROMPT, WARM_UP_ANSWER);
  }

  async measure(measure: Measure): Promise<Figures> {
    if (measure.kind === "prefill") {
      const { promptMs } = await this.#ask(measure.tokens, 0);
      return { prefill: (measure.tokens / promptMs) * 1000 };
    }
    if (measure.kind === "decode" && measure.streams === 1) {
      const { decodeMs, decoded } = await this.#ask(SHORT_PROMPT, measure.tokens);
      return { decode: (decoded / decodeMs) * 1000 };
    }
    throw cannotMeasure("node-llama-cpp", measure);
  }

  settings(): Readonly<Record<string, string>> {
    return { "batch size": "512" };
  }

  async close(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, "exit");
    this.#child.kill("SIGKILL");
    await ended;
  }

  async #ask(promptTokens: number, tokens: number) {
    const { modelPath, contextSize, timeout } = this.#context;
    this.#offset += STEP;
    const question = { modelPath, contextSize, text: this.#text, offset: this.#offset, promptTokens, tokens };
    this.#child.send(question);
    const answered = new AbortController();
    const signal = AbortSignal.any([AbortSignal.timeout(timeout), answered.signal]);
    try {
      const [message] = await Promise.race([once(this.#child, "message", { signal }), this.#ended(signal)]);
      const reply = replySchema.parse(message);
      if ("failure" in reply) throw new Error(`node-llama-cpp failed: ${reply.failure}`);
      return reply.answer;
    } finally {
      answered.abort();
    }
  }

  async #ended(signal: AbortSignal): Promise<never> {
    const [code] = await once(this.#child, "exit", { signal });
    throw new Error(`the process of node-llama-cpp ended with ${String(code)}`);
  }
}
