import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const COMMAND = fileURLToPath(new URL("../main.js", import.meta.url));

/** After this many milliseconds a node that was asked to stop is ended. */
const STOP_GRACE = 10_000;

/** Lines of a node's error output that are kept to explain its end. */
const KEPT_LINES = 20;

/** A node as a process of its own. It stops when it is told to, and when this process goes away, however it goes. */
export class ChildNode {
  readonly name: string;
  /** Resolves with the reason, a clause, when the process has ended. */
  readonly ended: Promise<string>;
  readonly #process: ChildProcess;
  readonly #lines: string[] = [];

  constructor(name: string, args: readonly string[], env: NodeJS.ProcessEnv) {
    this.name = name;
    // Detached: Ctrl-C in the terminal reaches this process alone, which then stops its nodes in order.
    this.#process = spawn(process.execPath, [COMMAND, "serve", ...args], {
      env,
      detached: true,
      windowsHide: true,
      stdio: ["ignore", "ignore", "pipe", "ipc"],
    });
    this.ended = this.#watch();
  }

  /** Asks the node to stop and waits until it has ended. */
  async stop(): Promise<void> {
    // The node takes the end of this channel for its owner's; unlike a signal that also works on Windows.
    if (this.#process.connected) this.#process.disconnect();
    const timer = setTimeout(() => this.#process.kill("SIGKILL"), STOP_GRACE);
    await this.ended;
    clearTimeout(timer);
  }

  async #watch(): Promise<string> {
    try {
      // Not "close": node does not emit it after this side has disconnected.
      const [[code, signal]] = await Promise.all([once(this.#process, "exit"), this.#readErrors()]);
      return this.#reason(code, signal);
    } catch (thrown) {
      return `it could not be started: ${thrown instanceof Error ? thrown.message : String(thrown)}`;
    }
  }

  async #readErrors(): Promise<void> {
    const { stderr } = this.#process;
    if (stderr === null) return;
    for await (const line of createInterface({ input: stderr })) {
      this.#lines.push(line);
      if (this.#lines.length > KEPT_LINES) this.#lines.shift();
    }
  }

  #reason(code: unknown, signal: unknown): string {
    const how = typeof signal === "string" ? `it was ended by ${signal}` : `it ended with exit code ${String(code)}`;
    const said = this.#lines.findLast((line) => line.startsWith("error: ")) ?? lastPlainLine(this.#lines);
    return said === undefined ? how : `${how}: ${said.replace(/^error: /, "").replace(/\.$/, "")}`;
  }
}

/** What a crash leaves (an abort message, say) stands between the log lines, which are JSON. */
function lastPlainLine(lines: readonly string[]): string | undefined {
  return lines.findLast((line) => line.trim() !== "" && !line.startsWith("{"));
}
