import { NodeProcess } from "../../test/support/node-process.js";
import type { RingSpec } from "../cases/bench-case.js";
import { coreOf, pinned } from "../host/pinning.js";
import { DelayProxy } from "../network/delay-proxy.js";
import type { Link } from "../network/link-queue.js";
import { type SubjectContext, Unavailable } from "./subject.js";

/**
 * Where nodes behind a link listen. A node tells its peers only its port, and they use the address from which it called:
 * so a proxy at the same port of 127.0.0.1 stands between it and every peer, in both directions.
 */
const BEHIND = "127.0.0.2";
const BEFORE = "127.0.0.1";

/** The processes of a ring, the head first, and what lies between them. */
export interface RingProcesses {
  readonly nodes: readonly NodeProcess[];
  close(): Promise<void>;
}

export async function startRingProcesses(
  spec: RingSpec,
  context: SubjectContext,
  extraArgs: readonly string[],
): Promise<RingProcesses> {
  const starter = new RingStarter(spec, context);
  try {
    return await starter.start(extraArgs);
  } catch (thrown) {
    await starter.close();
    throw thrown;
  }
}

class RingStarter implements RingProcesses {
  readonly #spec: RingSpec;
  readonly #context: SubjectContext;
  readonly #workers: NodeProcess[] = [];
  readonly #proxies: DelayProxy[] = [];
  #head: NodeProcess | null = null;

  constructor(spec: RingSpec, context: SubjectContext) {
    this.#spec = spec;
    this.#context = context;
  }

  get nodes(): readonly NodeProcess[] {
    return this.#head === null ? this.#workers : [this.#head, ...this.#workers];
  }

  async start(extraArgs: readonly string[]): Promise<this> {
    const { modelPath, contextSize, slots } = this.#context;
    const { nodes, spare = 0, ubatch } = this.#spec;
    const peers: string[] = [];
    for (let index = 1; index < nodes; index += 1) {
      const { node, address } = await this.#startNode(index, `worker-${index}`, []);
      this.#workers.push(node);
      peers.push("--peer", address);
    }
    const sizes = ["--ctx", String(contextSize), "--slots", String(slots), "--min-nodes", String(nodes - spare)];
    if (ubatch !== undefined) sizes.push("--ubatch", String(ubatch));
    const { node } = await this.#startNode(0, "head", [modelPath, ...sizes, ...peers, ...extraArgs]);
    this.#head = node;
    await node.ready();
    return this;
  }

  async close(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.stop()));
    await Promise.all(this.#proxies.map((proxy) => proxy.close()));
  }

  /** @returns the node, and the address at which its peers reach it */
  async #startNode(index: number, name: string, args: readonly string[]) {
    const { pinning } = this.#context;
    const { link, shareCores } = this.#spec;
    const address = link === undefined ? null : await this.#openLink(link);
    const threads = shareCores ? Math.max(1, Math.floor(pinning.cores.length / 2)) : 1;
    const node = await NodeProcess.start({
      name,
      before: pinned(pinning, shareCores ? pinning.cores : coreOf(index, pinning)),
      args: [
        ...args,
        "--threads",
        String(threads),
        ...(address === null ? [] : ["--grpc", `${BEHIND}:${address.port}`]),
      ],
    });
    return { node, address: address === null ? node.grpc : `${BEFORE}:${address.port}` };
  }

  async #openLink(link: Link) {
    if (process.platform !== "linux") {
      throw new Unavailable(`Links are emulated with the address ${BEHIND}, which only Linux has by itself.`);
    }
    const proxy = await DelayProxy.open({ host: BEFORE, port: 0 }, { host: BEHIND, port: 0 }, link);
    this.#proxies.push(proxy);
    return proxy.address;
  }
}
