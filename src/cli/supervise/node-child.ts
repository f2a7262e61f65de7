import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { CliOutput } from "../terminal/cli-io.js";
import { KeptLines } from "./kept-lines.js";
import { KeptLog } from "./kept-log.js";
import { type CrashedStage, type NodeMessage, nodeMessage, type UncaughtError } from "./node-message.js";
import { type KeptIdentity, type Supervision, withSupervision } from "./supervision.js";

const COMMAND = fileURLToPath(new URL("../main.js", import.meta.url));

const STANDARD_ERROR = 2;

/** What is written last arrives within so many milliseconds, unless a process that the node started holds the pipe. */
const LAST_WORDS_GRACE = 1000;

/** How a node process came to its end. */
export interface NodeEnd {
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
  /** The exit code with which it meant to end; `null`: it did not mean to. */
  readonly goodbye: number | null;
  /** Who it is, once it had started. */
  readonly identity: KeptIdentity | null;
  /** Milliseconds. */
  readonly uptime: number;
  readonly stages: readonly CrashedStage[];
  readonly memoryBytes: number | null;
  readonly thrown: UncaughtError | null;
  readonly stderr: readonly string[];
  readonly log: readonly string[];
}

/** A node process, as the supervisor has it. */
export interface NodeChild {
  readonly ended: Promise<NodeEnd>;
  /** Asks it to stop. */
  stop(): void;
  kill(): void;
}

export interface SpawnOptions {
  /** Of the command line, `serve` included. */
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  readonly supervision: Omit<Supervision, "terminal">;
  /** Where its standard error goes. */
  readonly stderr: CliOutput;
  /** Milliseconds since some fixed point. */
  readonly now: () => number;
}

/** Starts a node as a process of its own that ends when this one does, however it does. */
export function spawnNode(options: SpawnOptions): NodeChild {
  return new SpawnedNode(options);
}

class SpawnedNode implements NodeChild {
  readonly ended: Promise<NodeEnd>;
  readonly #process: ChildProcess;
  readonly #begun: number;
  readonly #now: () => number;
  readonly #stderr = new KeptLines();
  readonly #log = new KeptLog();
  #goodbye: number | null = null;
  #identity: KeptIdentity | null = null;
  #stages: readonly CrashedStage[] = [];
  #memoryBytes: number | null = null;
  #thrown: UncaughtError | null = null;

  constructor({ args, env, supervision, stderr, now }: SpawnOptions) {
    this.#now = now;
    this.#begun = now();
    // Standard error comes through here, for what it says last; bars are drawn on the terminal itself.
    const terminal = stderr.isTTY === true && process.platform !== "win32";
    this.#process = spawn(process.execPath, [...process.execArgv, COMMAND, ...args], {
      env: withSupervision(env, { ...supervision, terminal }),
      windowsHide: true,
      stdio: ["inherit", "inherit", "pipe", "ipc", ...(terminal ? [STANDARD_ERROR] : [])],
    });
    this.#process.stderr?.pipe(stderr, { end: false });
    this.#process.stderr?.setEncoding("utf8").on("data", (text: string) => this.#stderr.add(text));
    this.#process.on("message", (message) => this.#hear(message));
    this.ended = this.#watch();
  }

  stop(): void {
    // The end of the channel says the same where there are no signals.
    if (process.platform === "win32") this.#process.disconnect();
    else this.#process.kill("SIGTERM");
  }

  kill(): void {
    this.#process.kill("SIGKILL");
  }

  #hear(value: unknown): void {
    const result = nodeMessage.safeParse(value);
    if (result.success) this.#take(result.data);
  }

  #take(message: NodeMessage): void {
    switch (message.type) {
      case "started": {
        const { nodeId, http, grpc } = message;
        this.#identity = { nodeId, http, grpc };
        return;
      }
      case "stages":
        this.#stages = message.stages;
        return;
      case "memory":
        this.#memoryBytes = message.bytes;
        return;
      case "log":
        this.#log.add(message.line);
        return;
      case "thrown":
        this.#thrown = message.thrown;
        return;
      case "goodbye":
        this.#goodbye = message.code;
    }
  }

  async #watch(): Promise<NodeEnd> {
    const closed = once(this.#process, "close").catch(() => {});
    // One that cannot even be started has no exit code.
    await once(this.#process, "exit").catch(() => {});
    const uptime = this.#now() - this.#begun;
    await Promise.race([closed, delay(LAST_WORDS_GRACE, undefined, { ref: false })]);
    return {
      exitCode: this.#process.exitCode,
      signal: this.#process.signalCode,
      goodbye: this.#goodbye,
      identity: this.#identity,
      uptime,
      stages: this.#stages,
      memoryBytes: this.#memoryBytes,
      thrown: this.#thrown,
      stderr: this.#stderr.end(),
      log: this.#log.lines(),
    };
  }
}
