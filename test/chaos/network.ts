import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { promisify } from "node:util";
import { choosePorts } from "../../src/cli/demo/free-ports.js";
import { packageRoot } from "../../src/core/package.js";
import { Wire } from "./wire.js";

const run = promisify(execFile);
const FORWARDER = join(packageRoot(), "dist", "test", "chaos", "forwarder.js");
const GRPC_PORT = 52_416;
const HTTP_PORT = 52_415;

/** Where a node lives. */
export interface Site {
  readonly name: string;
  /** Words before a command that shall run there. */
  readonly before: readonly string[];
  /** `host:port` for `--http` and `--grpc`. */
  readonly http: string;
  readonly grpc: string;
}

export interface Network {
  readonly sites: readonly Site[];
  /** The ways between the nodes; `null`: they cannot be disturbed here. */
  readonly wire: Wire | null;
  close(): Promise<void>;
}

/** All nodes on the loopback interface, on free ports. */
export async function loopbackNetwork(names: readonly string[]): Promise<Network> {
  const ports = await choosePorts(names.flatMap(() => [0, 0]));
  const sites = names.map((name, index) => ({
    name,
    before: [],
    http: `127.0.0.1:${ports[2 * index]}`,
    grpc: `127.0.0.1:${ports[2 * index + 1]}`,
  }));
  return { sites, wire: null, close: async () => {} };
}

/** The namespace in which the suite itself runs: the middle, where all ways meet. */
export function middleOf(id: number): string {
  return `exo-chaos-${id}`;
}

async function ip(...args: readonly string[]): Promise<void> {
  await run("ip", args);
}

export async function makeMiddle(name: string): Promise<void> {
  await ip("netns", "add", name);
  await ip("-n", name, "link", "set", "lo", "up");
}

export async function removeNamespace(name: string): Promise<void> {
  await ip("netns", "del", name).catch(() => {});
}

/**
 * Each node in a network namespace of its own. Its gRPC address 10.77.n.1 is known to its own namespace, and to the middle,
 * where proxies answer for it; a forwarder brings what they pass on to the node. It calls from 10.78.n.2, where its HTTP API is.
 * @param directory for socket files
 */
export async function namespaceNetwork(middle: string, names: readonly string[], directory: string): Promise<Network> {
  const callers = new Map(names.map((name, index) => [`10.78.${index + 1}.2`, name]));
  const wire = new Wire((address) => callers.get(address.replace("::ffff:", "")) ?? "unknown");
  const forwarders: ChildProcess[] = [];
  const namespaces: string[] = [];
  const sites: Site[] = [];
  for (const [index, name] of names.entries()) {
    const namespace = `${middle}-${name}`;
    const host = `10.77.${index + 1}.1`;
    namespaces.push(namespace);
    await connect(middle, namespace, index + 1, host);
    const before = ["ip", "netns", "exec", namespace];
    const socket = join(directory, `${name}.sock`);
    forwarders.push(await startForwarder(before, socket, host));
    await wire.open(name, { host, port: GRPC_PORT }, socket);
    sites.push({ name, before, http: `10.78.${index + 1}.2:${HTTP_PORT}`, grpc: `${host}:${GRPC_PORT}` });
  }
  const close = async (): Promise<void> => {
    await wire.close();
    for (const forwarder of forwarders) forwarder.kill("SIGKILL");
    await Promise.all(namespaces.map(removeNamespace));
  };
  return { sites, wire, close };
}

async function connect(middle: string, namespace: string, index: number, host: string): Promise<void> {
  const [near, far] = [`10.78.${index}.1`, `10.78.${index}.2`];
  await ip("netns", "add", namespace);
  await ip("-n", namespace, "link", "set", "lo", "up");
  await ip("-n", namespace, "addr", "add", `${host}/32`, "dev", "lo");
  await ip("-n", middle, "link", "add", `n${index}`, "type", "veth", "peer", "name", "eth0", "netns", namespace);
  await ip("-n", middle, "addr", "add", `${near}/24`, "dev", `n${index}`);
  await ip("-n", middle, "link", "set", `n${index}`, "up");
  await ip("-n", namespace, "addr", "add", `${far}/24`, "dev", "eth0");
  await ip("-n", namespace, "link", "set", "eth0", "up");
  await ip("-n", namespace, "route", "add", "default", "via", near, "src", far);
  await ip("-n", middle, "addr", "add", `${host}/32`, "dev", "lo");
}

async function startForwarder(before: readonly string[], socket: string, host: string): Promise<ChildProcess> {
  const [command = "", ...rest] = [...before, process.execPath, FORWARDER, socket, host, String(GRPC_PORT)];
  const forwarder = spawn(command, rest, { stdio: ["ignore", "pipe", "inherit", "ipc"] });
  if (forwarder.stdout !== null) await once(forwarder.stdout, "data");
  return forwarder;
}
