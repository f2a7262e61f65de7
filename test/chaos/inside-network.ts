import { spawn } from "node:child_process";
import { once } from "node:events";
import { whyNoNamespaces } from "../support/namespaces.js";
import { makeMiddle, middleOf, removeNamespace } from "./network.js";

/**
 * Runs this very program once more in a network namespace in the middle of those of the nodes; resolves with its exit code.
 * `null`: that cannot be done here, which is said.
 */
export async function runInMiddle(program: string, args: readonly string[]): Promise<number | null> {
  const why = whyNoNamespaces();
  if (why !== false) {
    process.stdout.write(`Without faults of the network: ${why}.\n`);
    return null;
  }
  const middle = middleOf(process.pid);
  await makeMiddle(middle);
  const command = ["netns", "exec", middle, process.execPath, program, ...args, "--middle", middle];
  const inside = spawn("ip", command, { stdio: "inherit" });
  const pass = (signal: NodeJS.Signals): void => void inside.kill(signal);
  process.on("SIGINT", pass);
  process.on("SIGTERM", pass);
  try {
    await once(inside, "exit");
    return inside.exitCode ?? 1;
  } finally {
    await removeNamespace(middle);
  }
}
