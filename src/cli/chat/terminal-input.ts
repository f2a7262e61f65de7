import { Transform, type TransformCallback } from "node:stream";
import { StringDecoder } from "node:string_decoder";
import type { CliInput } from "../terminal/cli-io.js";
import { PastedLines } from "./pasted-lines.js";

/** A terminal's keys for readline, with what is pasted made into one line. */
export class TerminalInput extends Transform {
  readonly #source: CliInput;
  readonly #decoder = new StringDecoder("utf8");
  readonly #pasted = new PastedLines();

  constructor(source: CliInput) {
    super();
    this.#source = source;
    source.pipe(this);
  }

  /** For readline, which takes the keys one by one. */
  setRawMode(wanted: boolean): this {
    this.#source.setRawMode?.(wanted);
    return this;
  }

  /** Leaves the terminal to whoever reads it next. */
  release(): void {
    this.#source.unpipe(this);
    this.#source.pause();
  }

  override _transform(chunk: Buffer | string, _encoding: BufferEncoding, done: TransformCallback): void {
    const text = typeof chunk === "string" ? chunk : this.#decoder.write(chunk);
    done(null, this.#pasted.filter(text));
  }
}
