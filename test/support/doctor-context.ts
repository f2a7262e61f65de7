import assert from "node:assert/strict";
import type { Check } from "../../src/cli/doctor/check.js";
import type { DoctorContext } from "../../src/cli/doctor/context.js";
import type { Finding } from "../../src/cli/doctor/finding.js";
import { clusterDocument } from "../../src/cli/node-client/cluster-document.js";
import { loadConfig } from "../../src/config/load.js";
import { type FakeMachine, fakeSystem } from "./fake-system.js";

export interface ContextChange extends Partial<Omit<DoctorContext, "system" | "config" | "node">> {
  /** As the command line gives them. */
  readonly flags?: Readonly<Record<string, unknown>>;
  /** What `GET /cluster` answers on the node that runs here. */
  readonly cluster?: unknown;
}

/** What checks look at: a machine of a test, and settings made of flags alone. */
export async function contextOf(machine: FakeMachine, change: ContextChange = {}): Promise<DoctorContext> {
  const { flags = {}, cluster, ...rest } = change;
  const config = await loadConfig({ flags, env: {}, homeDirectory: "/home/user", withoutFile: true });
  const node =
    cluster === undefined
      ? null
      : { url: new URL("http://127.0.0.1:52415"), cluster: clusterDocument.parse(cluster), isOwn: true };
  return { system: fakeSystem(machine), config, configFailure: null, nodeFailure: null, node, ...rest };
}

/** What a check finds there. */
export async function look(
  check: Check,
  machine: FakeMachine,
  change: ContextChange = {},
): Promise<readonly Finding[]> {
  return check.run(await contextOf(machine, change));
}

/** The only finding of a check. */
export async function lookForOne(check: Check, machine: FakeMachine, change: ContextChange = {}): Promise<Finding> {
  const [finding, ...more] = await look(check, machine, change);
  assert.ok(finding !== undefined && more.length === 0, `${1 + more.length} findings`);
  return finding;
}
