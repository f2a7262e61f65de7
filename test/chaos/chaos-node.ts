import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { packageRoot } from "../../src/core/package.js";
import { childrenOf, gone } from "../support/process-table.js";
import type { Site } from "./network.js";

const DIST = join(packageRoot(), "dist");
const MAIN = join(DIST, "src", "cli", "main.js");
const CLOCK = pathToFileURL(join(DIST, "test", "chaos", "clock-shift.js")).href;

const MOST_LOG = 200_000;

/** `exo-native serve` at a site, as its owner would run it: a supervisor with the node as its child. */
export class ChaosNode {
  readonly site: Site;
  readonly #args: readonly string[];
  readonly #home: string;
  #process: ChildProcess | null = null;
  /** The newest lines of standard error, over all starts. */
  log = "";

  constructor(site: Site, args: readonly string[], home: string) {
    this.site = site;
    this.#args = args;
    this.#home = home;
  }

  get name(): string {
    return this.site.name;
  }

  get url(): string {
    return `http://${this.site.http}`;
  }

  get running(): boolean {
    const { exitCode, signalCode } = this.#process ?? { exitCode: 0, signalCode: null };
    return exitCode === null && signalCode === null;
  }

  start(): void {
    if (this.running) return;
    const { http, grpc, name, before } = this.site;
    const serve = [MAIN, "serve", "--name", name, "--http", http, "--grpc", grpc, ...this.#args];
    const [command = "", ...args] = [...before, process.execPath, ...serve];
    const { EXO_NATIVE_ADDON_DIRECTORY, PATH } = process.env;
    this.#process = spawn(command, args, {
      stdio: ["ignore", "ignore", "pipe", "ipc"],
      env: {
        PATH,
        EXO_NATIVE_ADDON_DIRECTORY,
        EXO_NATIVE_HOME: this.#home,
        EXO_NATIVE_LOG_FORMAT: "json",
        NODE_OPTIONS: `--import=${CLOCK}`,
        CHAOS_CLOCK_FILE: this.#clockFile,
      },
    });
    this.#process.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.log = (this.log + text).slice(-MOST_LOG);
    });
  }

  /** Process id of the node itself; `null`: there is none just now. */
  async nodePid(): Promise<number | null> {
    const pid = this.#process?.pid;
    return pid === undefined || !this.running ? null : ((await childrenOf(pid))[0] ?? null);
  }

  /** Only the node itself: its supervisor is to start it again. */
  async signalNode(signal: NodeJS.Signals): Promise<void> {
    const pid = await this.nodePid();
    if (pid !== null) sendSignal(pid, signal);
  }

  /** As when the machine loses its power. */
  async kill(): Promise<void> {
    const pid = await this.nodePid();
    await this.#end("SIGKILL");
    if (pid !== null) {
      sendSignal(pid, "SIGKILL");
      await gone(pid);
    }
  }

  /** As Ctrl-C. */
  async stop(): Promise<void> {
    await this.#end("SIGINT");
  }

  /** Sets the calendar clock off by so many seconds. */
  async shiftClock(seconds: number): Promise<void> {
    writeFileSync(this.#clockFile, String(seconds * 1000));
    await this.signalNode("SIGUSR2");
  }

  get #clockFile(): string {
    return join(this.#home, "clock-shift");
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#process;
    if (child === null || !this.running) return;
    const exited = once(child, "exit");
    child.kill(signal);
    await exited;
  }
}

/** To a process that may be gone already. */
function sendSignal(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (thrown) {
    if (!(thrown instanceof Error && Reflect.get(thrown, "code") === "ESRCH")) throw thrown;
  }
}
