import { setTimeout as delay } from "node:timers/promises";
import { EventSourceParserStream } from "eventsource-parser/stream";
import { z } from "zod";

const chunk = z.object({ choices: z.array(z.object({ text: z.string().optional() })).min(1) });

/** Some text of an answer. */
export interface Piece {
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly stream: number;
}

/** A client that streams an answer, and asks again when the stream fails. */
export interface AnswerWatch {
  /** Resolves when it has so many pieces of text. */
  pieces(count: number): Promise<void>;
  /** The stream that is open: 0 is the first. */
  readonly stream: number;
  /** The first piece that comes after this time. */
  nextTokenAfter(time: number): Promise<Piece>;
}

/** Far more than there is time for. */
const TOKENS = 1500;
const AGAIN_MS = 20;
const PATIENCE_MS = 60_000;

export function watchAnswer(url: string, model: string, prompt: string): AnswerWatch {
  const watch = new Watch(url, model, prompt);
  void watch.run();
  return watch;
}

class Watch implements AnswerWatch {
  readonly #url: string;
  readonly #body: object;
  readonly #came: Piece[] = [];
  #stream = 0;
  #stopped = false;

  constructor(url: string, model: string, prompt: string) {
    this.#url = url;
    this.#body = { model, prompt, max_tokens: TOKENS, temperature: 0, ignore_eos: true, stream: true };
  }

  async run(): Promise<void> {
    while (!this.#stopped) {
      await this.#ask().catch(() => {});
      this.#stream += 1;
      if (!this.#stopped) await delay(AGAIN_MS);
    }
  }

  get stream(): number {
    return this.#stream;
  }

  pieces(count: number): Promise<void> {
    return this.#until(() => this.#came.length >= count);
  }

  async nextTokenAfter(time: number): Promise<Piece> {
    const next = () => this.#came.find(({ at }) => at > time);
    await this.#until(() => next() !== undefined);
    this.#stopped = true;
    return next() ?? { at: Number.NaN, stream: -1 };
  }

  async #ask(): Promise<void> {
    const response = await fetch(new URL("/v1/completions", this.#url), {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(this.#body),
    });
    if (!response.ok || response.body === null) throw new Error(await response.text());
    const events = response.body.pipeThrough(new TextDecoderStream()).pipeThrough(new EventSourceParserStream());
    for await (const { data } of events) {
      if (this.#stopped) return;
      const parsed = data === "[DONE]" ? null : chunk.safeParse(JSON.parse(data));
      if (parsed?.success === true && (parsed.data.choices[0]?.text ?? "") !== "") {
        this.#came.push({ at: Date.now(), stream: this.#stream });
      }
    }
  }

  async #until(isSo: () => boolean): Promise<void> {
    const deadline = Date.now() + PATIENCE_MS;
    while (!isSo()) {
      if (Date.now() > deadline) throw new Error(`no text came within ${PATIENCE_MS / 1000} s`);
      await delay(5);
    }
  }
}
