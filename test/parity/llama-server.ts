import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { CONTEXT, SLOTS } from "./models.js";

const START_MS = 60_000;

/** One llama-server on a free port of the loopback interface, computing as a node of one thread does. */
export class LlamaServer {
  readonly url: string;
  readonly #child: ChildProcess;

  private constructor(url: string, child: ChildProcess) {
    this.url = url;
    this.#child = child;
  }

  static async start(executable: string, modelPath: string): Promise<LlamaServer> {
    const port = await freePort();
    const args = ["--model", modelPath, "--host", "127.0.0.1", "--port", String(port), "--offline"];
    const size = ["--ctx-size", String(CONTEXT * SLOTS), "--parallel", String(SLOTS), "--no-kv-unified"];
    const child = spawn(executable, [...args, ...size, "--threads", "1", "--jinja", "--fit", "off"], {
      stdio: ["ignore", "ignore", "ignore"],
    });
    const server = new LlamaServer(`http://127.0.0.1:${port}`, child);
    await server.#ready();
    return server;
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exited = once(this.#child, "exit");
    this.#child.kill("SIGTERM");
    await exited;
  }

  async #ready(): Promise<void> {
    const deadline = Date.now() + START_MS;
    while (Date.now() < deadline && this.#child.exitCode === null) {
      const response = await fetch(`${this.url}/health`).catch(() => null);
      if (response?.ok) return;
      await delay(100);
    }
    await this.stop();
    throw new Error("llama-server did not start");
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}
