import { fstatSync } from "node:fs";
import { type ReadStream, WriteStream } from "node:tty";
import type { SupervisedProcess } from "../supervise/supervised-process.js";
import { TERMINAL_FD } from "../supervise/supervision.js";

/** What a command may write to; a terminal tells its width. */
export type CliOutput = NodeJS.WritableStream & Partial<Pick<WriteStream, "isTTY" | "columns" | "rows">>;

export type CliInput = NodeJS.ReadableStream &
  Partial<Pick<ReadStream, "isTTY" | "setRawMode">> & {
    /** Of the process's own standard input. */
    readonly fd?: number;
  };

/** The command line's view of its process. Answers and `--json` go to `stdout`, everything else to `stderr`. */
export interface CliIo {
  readonly stdin: CliInput;
  readonly stdout: CliOutput;
  readonly stderr: CliOutput;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Milliseconds since some fixed point. */
  readonly now: () => number;
  /** This is the node process of a supervisor. */
  readonly supervised?: SupervisedProcess;
}

export function processIo(supervised?: SupervisedProcess): CliIo {
  const { stdin, stdout, stderr, env } = process;
  const onTerminal = supervised?.facts.terminal === true;
  return {
    stdin,
    stdout,
    stderr: onTerminal ? new WriteStream(TERMINAL_FD) : stderr,
    env,
    now: () => performance.now(),
    ...(supervised === undefined ? {} : { supervised }),
  };
}

const NARROW = 20;
const USUAL = 80;

/** Columns that may be used; what is no terminal, or one that does not know its size, is taken for one of the usual width. */
export function widthOf(output: CliOutput): number {
  return Math.max(NARROW, output.columns || USUAL);
}

/**
 * Somebody gave this process a file or a pipe to read. What is no terminal may also be an end that another program left
 * open and will never write to; waiting for that would take for ever.
 */
export function isRedirected({ isTTY, fd }: CliInput): boolean {
  if (isTTY === true || fd === undefined) return false;
  try {
    const kind = fstatSync(fd);
    return kind.isFile() || kind.isFIFO();
  } catch {
    return false;
  }
}
