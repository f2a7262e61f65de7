import type { Config } from "../../config/config.js";
import { AnswerPrinter, outcomeText } from "../chat/answer-printer.js";
import { Conversation } from "../chat/conversation.js";
import { readConfig } from "../config-flags.js";
import { DemoRing } from "../demo/demo-ring.js";
import { waitForRing } from "../demo/ring-watch.js";
import { EXIT } from "../failure.js";
import { openModelStore } from "../model-store.js";
import { NodeClient } from "../node-client/node-client.js";
import { stopWithNpm } from "../npm-parent.js";
import { StopRequest } from "../stop-request.js";
import type { CliIo } from "../terminal/cli-io.js";
import { DownloadDisplay } from "../terminal/download-display.js";
import { type Paint, paintFor } from "../terminal/paint.js";
import { PlacementDisplay } from "../terminal/placement-display.js";
import { drawRing } from "../terminal/ring-picture.js";
import { StatusScreen } from "../terminal/status-screen.js";

/** Little chance, and no endless repetition, which models this small fall into. */
const SAMPLING = { temperature: 0.1, min_p: 0.1, repeat_penalty: 1.05, max_tokens: 96, seed: 2 };

export interface DemoOptions {
  readonly model: string;
  readonly prompt: string;
  /** Stop after the answer. */
  readonly once: boolean;
  readonly [option: string]: unknown;
}

/** Two nodes on this machine as a ring, one sample answer, and a chat page until Ctrl-C. */
export async function demo(options: DemoOptions, io: CliIo): Promise<void> {
  const show = new Demo(options, io);
  await show.run();
}

class Demo {
  readonly #options: DemoOptions;
  readonly #io: CliIo;
  readonly #screen: StatusScreen;
  readonly #paint: Paint;
  readonly #stop: StopRequest;

  constructor(options: DemoOptions, io: CliIo) {
    this.#options = options;
    this.#io = io;
    this.#screen = new StatusScreen(io.stdout, io.now);
    this.#paint = paintFor(io.stdout, io.env);
    this.#stop = new StopRequest(process, io.now, () => process.exit(EXIT.failed));
    stopWithNpm(this.#stop, io.env, () => process.ppid);
  }

  async run(): Promise<void> {
    this.#screen.print(this.#paint("bold", "exo-native: a ring of two nodes on this machine"));
    try {
      const config = await readConfig(this.#options, this.#io);
      await this.#fetch(config);
      if (!this.#stop.signal.aborted) await this.#runRing(config);
    } catch (thrown) {
      if (!this.#stop.signal.aborted) throw thrown;
    } finally {
      this.#screen.clear();
      this.#stop.release();
    }
  }

  /** Both nodes would wait for the same download: it is done before they start, where its progress can be seen. */
  async #fetch(config: Config): Promise<void> {
    const { model } = this.#options;
    const store = openModelStore(config, this.#io);
    const display = new DownloadDisplay(this.#screen, this.#paint, model, this.#io.now);
    await store.resolve(model, { signal: this.#stop.signal, onProgress: (progress) => display.update(progress) });
    display.finish();
  }

  async #runRing({ http, grpc }: Config): Promise<void> {
    const ring = await DemoRing.start(this.#options.model, { http: http.port, grpc: grpc.port }, this.#io.env);
    const ending = new AbortController();
    try {
      const shown = this.#show(ring.url, AbortSignal.any([this.#stop.signal, ending.signal]));
      await Promise.race([shown.catch((thrown) => ring.explain(thrown)), ring.broken(), this.#stop.wait()]);
    } finally {
      ending.abort();
      this.#screen.clear();
      if (this.#stop.signal.aborted) this.#screen.print("\nstopping both nodes");
      await ring.stop();
    }
  }

  async #show(url: URL, signal: AbortSignal): Promise<void> {
    const client = new NodeClient(url, null);
    const tell = (line: string): void => this.#screen.print(line);
    const display = new PlacementDisplay({ screen: this.#screen, paint: this.#paint, tell, now: this.#io.now });
    const { cluster, ring } = await waitForRing(client, (progress) => display.update(progress), signal);
    // Only the warm-up went round so far, which says nothing of the hops.
    const picture = drawRing(cluster, { ...ring, hops: null }, this.#screen.width, this.#paint);
    this.#screen.print(
      ["", ...picture, "", `Chat page:   ${url.origin}`, `OpenAI API:  ${url.origin}/v1`, ""].join("\n"),
    );
    await this.#answer(client, ring.model, signal);
    if (this.#options.once) return;
    this.#screen.print("\nBoth nodes stay up; Ctrl-C stops them.");
    await this.#stop.wait();
  }

  async #answer(client: NodeClient, model: string, signal: AbortSignal): Promise<void> {
    const { stdout, now } = this.#io;
    const conversation = new Conversation({
      ask: (request, abort) => client.chat(request, abort),
      model,
      fields: SAMPLING,
      system: null,
      now,
    });
    const printer = new AnswerPrinter(stdout, this.#paint);
    stdout.write(`${this.#paint("bold", `>>> ${this.#options.prompt}`)}\n`);
    const outcome = await conversation.say(this.#options.prompt, (piece) => printer.print(piece), signal);
    printer.finish();
    const numbers = outcomeText(outcome);
    if (numbers !== null) stdout.write(`${this.#paint("dim", `(${numbers})`)}\n`);
  }
}
