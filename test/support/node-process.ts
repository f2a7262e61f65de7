import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";
import { z } from "zod";
import { packageRoot } from "../../src/core/package.js";

const startedSchema = z.object({ msg: z.literal("node started"), http: z.string(), grpc: z.string() });

const START_MS = 30_000;
const READY_MS = 120_000;

export interface NodeProcessOptions {
  readonly name: string;
  /** Arguments of `serve` besides name and addresses. */
  readonly args?: readonly string[];
  /** `EXO_NATIVE_HOME`; default: a directory of its own that goes with the process. */
  readonly home?: string;
  /** Words before the command, of `taskset` say. */
  readonly before?: readonly string[];
}

/** One `exo-native serve` in a process of its own, on free ports of the loopback interface. */
export class NodeProcess {
  readonly name: string;
  readonly http: string;
  readonly grpc: string;
  readonly #child: ChildProcess;
  readonly #log: readonly string[];
  readonly #home: string | null;

  private constructor(name: string, child: ChildProcess, log: readonly string[], home: string | null, at: Started) {
    this.name = name;
    this.#child = child;
    this.#log = log;
    this.#home = home;
    this.http = at.http;
    this.grpc = at.grpc;
  }

  static async start(options: NodeProcessOptions): Promise<NodeProcess> {
    const ownHome = options.home === undefined ? await mkdtemp(join(tmpdir(), "exo-native-test-")) : null;
    const [command = process.execPath, ...args] = [
      ...(options.before ?? []),
      process.execPath,
      ...serveArguments(options),
    ];
    const child = spawn(command, args, {
      // The channel is for its end alone: a node whose starter is gone, however it went, stops.
      stdio: ["ignore", "pipe", "pipe", "ipc"],
      env: { ...plainEnvironment(), EXO_NATIVE_HOME: options.home ?? ownHome ?? "", EXO_NATIVE_LOG_FORMAT: "json" },
    });
    const log: string[] = [];
    const started = await firstWords(child, log).catch(async (thrown: unknown) => {
      child.kill("SIGKILL");
      if (ownHome !== null) await rm(ownHome, { recursive: true, force: true });
      throw thrown;
    });
    return new NodeProcess(options.name, child, log, ownHome, started);
  }

  get running(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  get log(): string {
    return this.#log.join("\n");
  }

  get pid(): number {
    return this.#child.pid ?? -1;
  }

  /** Waits until a model can be asked here. */
  async ready(): Promise<this> {
    const deadline = Date.now() + READY_MS;
    while (Date.now() < deadline && this.running) {
      const response = await fetch(`${this.http}/readyz`).catch(() => null);
      if (response?.ok) return this;
      await delay(50);
    }
    throw new Error(`node ${this.name} did not become ready; its log:\n${this.log}`);
  }

  /** As a laptop that falls asleep, and wakes up. */
  pause(): void {
    this.#child.kill("SIGSTOP");
  }

  resume(): void {
    this.#child.kill("SIGCONT");
  }

  /** The exit code, when the process has ended by itself. */
  async ended(): Promise<number | null> {
    if (this.running) await once(this.#child, "exit");
    return this.#child.exitCode;
  }

  /** Ctrl-C. Returns the exit code. */
  async stop(): Promise<number | null> {
    return this.#end("SIGINT");
  }

  async kill(): Promise<void> {
    await this.#end("SIGKILL");
  }

  async #end(signal: NodeJS.Signals): Promise<number | null> {
    if (this.running) {
      const exited = once(this.#child, "exit");
      this.#child.kill(signal);
      await exited;
    }
    if (this.#home !== null) await rm(this.#home, { recursive: true, force: true });
    return this.#child.exitCode;
  }
}

type Started = z.infer<typeof startedSchema>;

function serveArguments({ name, args = [] }: NodeProcessOptions): string[] {
  const main = join(packageRoot(), "dist", "src", "cli", "main.js");
  const addresses = ["--http", "127.0.0.1:0", "--grpc", "127.0.0.1:0"];
  // Signals are for the node itself.
  return [main, "serve", "--no-supervise", "--name", name, ...addresses, ...args];
}

/** Without the settings of whoever runs this: a node has those that its arguments name. Where the addon lies is none. */
function plainEnvironment(): NodeJS.ProcessEnv {
  const kept = ([name]: [string, unknown]) => !name.startsWith("EXO_NATIVE_") || name === "EXO_NATIVE_ADDON_DIRECTORY";
  return Object.fromEntries(Object.entries(process.env).filter(kept));
}

async function firstWords(child: ChildProcess, log: string[]): Promise<Started> {
  return new Promise((resolve, reject) => {
    const fail = (why: string): void => {
      clearTimeout(timer);
      reject(new Error(`${why}; its log:\n${log.join("\n")}`));
    };
    const timer = setTimeout(() => fail("a node did not start in time"), START_MS);
    child.once("exit", (code) => fail(`a node ended with ${code}`));
    for (const stream of [child.stdout, child.stderr]) {
      if (stream === null) continue;
      createInterface({ input: stream }).on("line", (line) => {
        log.push(line);
        const started = startedSchema.safeParse(parsed(line));
        if (!started.success) return;
        clearTimeout(timer);
        resolve(started.data);
      });
    }
  });
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return null;
  }
}

/** A ring of `count` nodes with the model's head on the first; every one of them answers. */
export async function startRing(
  count: number,
  model: string,
  headArgs: readonly string[] = [],
): Promise<NodeProcess[]> {
  const workers = await Promise.all(
    Array.from({ length: count - 1 }, (_, index) =>
      NodeProcess.start({ name: `worker-${index + 1}`, args: ["--threads", "1"] }),
    ),
  );
  const peers = workers.flatMap((worker) => ["--peer", worker.grpc]);
  const head = await NodeProcess.start({
    name: "head",
    args: [model, "--threads", "1", "--min-nodes", String(count), ...peers, ...headArgs],
  });
  return Promise.all([head, ...workers].map((node) => node.ready()));
}
