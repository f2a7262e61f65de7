import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { packageRoot } from "../../src/core/package.js";
import { childrenOf } from "./process-table.js";

const MAIN = join(packageRoot(), "dist", "src", "cli", "main.js");

/** `exo-native serve` as it is usually run: a supervisor, and the node as its child. On free ports. */
export class SupervisedNode {
  /** Of the supervisor. */
  readonly process: ChildProcess;
  /** Everything on standard error. */
  log = "";

  constructor(home: string, args: readonly string[] = []) {
    const { EXO_NATIVE_ADDON_DIRECTORY, PATH } = process.env;
    const free = ["--http", "127.0.0.1:0", "--grpc", "127.0.0.1:0"];
    this.process = spawn(process.execPath, [MAIN, "serve", ...free, ...args], {
      env: { PATH, EXO_NATIVE_ADDON_DIRECTORY, EXO_NATIVE_HOME: home },
      stdio: ["ignore", "pipe", "pipe", "ipc"],
    });
    this.process.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.log += text;
    });
  }

  get pid(): number {
    return this.process.pid ?? -1;
  }

  /** Process id of the node, once there is one. */
  async nodePid(): Promise<number> {
    for (;;) {
      const [pid] = await childrenOf(this.pid);
      if (pid !== undefined) return pid;
      this.#mustRun();
      await delay(20);
    }
  }

  /** Where the API is, once the node has started for this time. */
  async started(time = 1): Promise<{ readonly http: string; readonly grpc: string }> {
    for (;;) {
      const lines = this.log.split("\n").filter((line) => line.includes('"msg":"node started"'));
      const line = lines[time - 1];
      if (line !== undefined) return JSON.parse(line) as { http: string; grpc: string };
      this.#mustRun();
      await delay(20);
    }
  }

  async says(words: RegExp): Promise<void> {
    while (!words.test(this.log)) {
      this.#mustRun();
      await delay(20);
    }
  }

  /** The exit code. */
  async ended(): Promise<number | null> {
    if (this.#runs) await once(this.process, "exit");
    return this.process.exitCode;
  }

  async stop(): Promise<number | null> {
    if (this.#runs) this.process.kill("SIGINT");
    return this.ended();
  }

  get #runs(): boolean {
    return this.process.exitCode === null && this.process.signalCode === null;
  }

  #mustRun(): void {
    if (!this.#runs) throw new Error(`The supervisor ended:\n${this.log}`);
  }
}
