import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { connect } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { choosePorts } from "../../src/cli/demo/free-ports.js";
import { coreOf, pinned } from "../host/pinning.js";
import { DelayProxy } from "../network/delay-proxy.js";
import type { Link } from "../network/link-queue.js";
import { peerTool } from "../peers/tools.js";
import type { SubjectContext } from "./subject.js";

const HOST = "127.0.0.1";
const START_MS = 15_000;
const POLL_MS = 50;

/** llama.cpp's RPC servers, one thread and one processor each, behind links if there are to be any. */
export class RpcServers {
  /** `host:port`, as the client is to reach them. */
  readonly endpoints: string[] = [];
  readonly #children: ChildProcess[] = [];
  readonly #proxies: DelayProxy[] = [];

  static async start(
    count: number,
    link: Link | undefined,
    { peersDirectory, pinning }: SubjectContext,
  ): Promise<RpcServers> {
    const servers = new RpcServers();
    const tool = peerTool(peersDirectory, "ggml-rpc-server");
    try {
      for (let index = 0; index < count; index += 1) {
        await servers.#add([...pinned(pinning, coreOf(index, pinning)), tool], link);
      }
      return servers;
    } catch (thrown) {
      await servers.stop();
      throw thrown;
    }
  }

  async stop(): Promise<void> {
    await Promise.all(this.#children.map(end));
    await Promise.all(this.#proxies.map((proxy) => proxy.close()));
  }

  async #add(command: readonly string[], link: Link | undefined): Promise<void> {
    const [port = 0] = await choosePorts([0]);
    const [program = "", ...args] = [...command, "--threads", "1", "--host", HOST, "--port", String(port)];
    const child = spawn(program, args, { stdio: "ignore" });
    this.#children.push(child);
    await listening(child, port);
    if (link === undefined) {
      this.endpoints.push(`${HOST}:${port}`);
      return;
    }
    const proxy = await DelayProxy.open({ host: HOST, port: 0 }, { host: HOST, port }, link);
    this.#proxies.push(proxy);
    this.endpoints.push(`${HOST}:${proxy.address.port}`);
  }
}

async function listening(child: ChildProcess, port: number): Promise<void> {
  const deadline = performance.now() + START_MS;
  while (performance.now() < deadline && child.exitCode === null) {
    if (await accepts(port)) return;
    await delay(POLL_MS);
  }
  throw new Error("ggml-rpc-server did not start");
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, HOST);
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, "exit");
  child.kill("SIGKILL");
  await ended;
}
