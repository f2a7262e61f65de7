import { Writable } from "node:stream";
import type { CliOutput } from "../terminal/cli-io.js";

/**
 * A terminal for readline that can be silenced: what is typed while an answer is written is kept by readline, but not
 * drawn into the middle of the answer.
 */
export class MutableOutput extends Writable {
  readonly #output: CliOutput;
  muted = false;

  constructor(output: CliOutput) {
    super({ decodeStrings: false });
    this.#output = output;
    output.on("resize", () => this.emit("resize"));
  }

  get columns(): number | undefined {
    return this.#output.columns;
  }

  override _write(chunk: string | Uint8Array, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    // Not kept until the terminal has taken it: what others write to the terminal must not overtake it.
    if (!this.muted) this.#output.write(chunk);
    done();
  }
}
