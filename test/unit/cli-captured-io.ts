import { PassThrough, Writable } from "node:stream";
import type { CliIo } from "../../src/cli/terminal/cli-io.js";

/** An output that remembers, may say that it is a terminal, and emits `shown` when something was written. */
export class CapturedOutput extends Writable {
  text = "";
  readonly isTTY: boolean;
  columns: number;

  constructor(isTTY = false, columns = 80) {
    super({ decodeStrings: false });
    this.isTTY = isTTY;
    this.columns = columns;
  }

  override _write(chunk: string | Uint8Array, _encoding: BufferEncoding, done: () => void): void {
    this.text += chunk.toString();
    this.emit("shown");
    done();
  }
}

export interface CapturedIo extends CliIo {
  readonly stdin: PassThrough & { isTTY?: boolean };
  readonly stdout: CapturedOutput;
  readonly stderr: CapturedOutput;
}

export function capturedIo(options: { tty?: boolean; env?: CliIo["env"]; now?: () => number } = {}): CapturedIo {
  const tty = options.tty ?? false;
  return {
    stdin: Object.assign(new PassThrough(), tty ? { isTTY: true } : {}),
    stdout: new CapturedOutput(tty),
    stderr: new CapturedOutput(tty),
    env: options.env ?? {},
    now: options.now ?? (() => 0),
  };
}
