import { setTimeout as delay } from "node:timers/promises";
import { ExoError } from "../../core/errors.js";
import { ChildNode } from "./child-node.js";
import { choosePorts } from "./free-ports.js";

/** The second node's ports are so far above the first one's. */
const NEXT_NODE = 2;

/** A crashed process is seen to end within this many milliseconds of its peers' complaints. */
const NODE_END = 1500;

/** Settings for a node of one's own must not reach both nodes of the demo; these may. */
const KEPT_VARIABLES = ["EXO_NATIVE_HOME", "EXO_NATIVE_ADDON_DIRECTORY"];

/** Two nodes on this machine, each a process of its own, that share one model. */
export class DemoRing {
  readonly url: URL;
  readonly #nodes: readonly ChildNode[];

  private constructor(url: URL, nodes: readonly ChildNode[]) {
    this.url = url;
    this.#nodes = nodes;
  }

  /** @param wanted ports of the first node; 0, or one that is taken, is replaced by a free one */
  static async start(
    model: string,
    wanted: { readonly http: number; readonly grpc: number },
    env: NodeJS.ProcessEnv,
  ): Promise<DemoRing> {
    const ports = [wanted.http, wanted.grpc].flatMap((port) => [port, port === 0 ? 0 : port + NEXT_NODE]);
    const [headHttp = 0, tailHttp = 0, headGrpc = 0, tailGrpc = 0] = await choosePorts(ports);
    const nodeEnv = ownEnvironment(env);
    const tail = new ChildNode("node-b", nodeArguments("node-b", tailHttp, tailGrpc, headGrpc), nodeEnv);
    const headArguments = nodeArguments("node-a", headHttp, headGrpc, tailGrpc);
    const head = new ChildNode("node-a", [model, "--min-nodes", "2", ...headArguments], nodeEnv);
    return new DemoRing(new URL(`http://127.0.0.1:${headHttp}`), [head, tail]);
  }

  /** Rejects with which node ended and why, when one ends that was not asked to. */
  async broken(): Promise<never> {
    const { name, reason } = await Promise.race(
      this.#nodes.map(async (node) => ({ name: node.name, reason: await node.ended })),
    );
    throw new ExoError("stage_lost", `The node ${name} went away: ${reason}.`);
  }

  /** Throws what really happened when something failed: a node that goes away makes others complain first. */
  async explain(failure: unknown): Promise<never> {
    const noNode = delay(NODE_END, undefined, { ref: false }).then(() => {
      throw failure;
    });
    return Promise.race([this.broken(), noNode]);
  }

  async stop(): Promise<void> {
    await Promise.all(this.#nodes.map((node) => node.stop()));
  }
}

function nodeArguments(name: string, http: number, grpc: number, peer: number): readonly string[] {
  return [
    ...["--name", name],
    ...["--http", `127.0.0.1:${http}`],
    ...["--grpc", `127.0.0.1:${grpc}`],
    ...["--peer", `127.0.0.1:${peer}`],
    ...["--log-level", "warn", "--log-format", "json"],
    // This process watches over both, and says which one went.
    "--no-supervise",
  ];
}

function ownEnvironment(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const kept = ([name]: [string, unknown]) => !name.startsWith("EXO_NATIVE_") || KEPT_VARIABLES.includes(name);
  return Object.fromEntries(Object.entries(env).filter(kept));
}
