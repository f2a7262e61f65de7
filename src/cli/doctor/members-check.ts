import { packageVersion } from "../../core/package.js";
import type { ClusterDocument, NodeDocument } from "../node-client/cluster-document.js";
import type { Check } from "./check.js";
import type { AnsweringNode, DoctorContext } from "./context.js";
import { type Finding, note, ok, problem, warning } from "./finding.js";

/** What a running node knows of itself and of the others. */
export const membersCheck: Check = {
  subject: "the nodes of the cluster",
  run: async ({ node, nodeFailure }: DoctorContext) => {
    if (node === null) return [absent(nodeFailure)];
    return [
      running(node),
      versions(node.cluster),
      ...node.cluster.nodes.flatMap(notUsed),
      ...brokenRings(node.cluster),
    ];
  },
};

function absent(failure: DoctorContext["nodeFailure"]): Finding {
  if (failure === null) {
    return note("node", "No node runs here", "What other nodes say could not be looked at.", "npx exo-native serve");
  }
  return warning(
    "node",
    "What answers at the node's address does not answer as a node should",
    failure.message,
    failure.code === "unauthorized"
      ? "Give its key: npx exo-native doctor --api-key <key>"
      : "Run the same version of exo-native as the node, or name the node with --url.",
  );
}

function running({ url, cluster }: AnsweringNode): Finding {
  const others = cluster.nodes.filter(({ id, state }) => id !== cluster.node.id && state === "alive").length;
  const company = others === 0 ? "alone" : `with ${others} other ${others === 1 ? "node" : "nodes"}`;
  return ok("node", `${cluster.node.name} runs at ${url.origin}, ${company}`);
}

/** Nodes of other builds refuse each other; nodes of other versions with the same protocol do work together. */
function versions({ node, nodes }: ClusterDocument): Finding {
  const own = packageVersion();
  const told = nodes.filter(({ version }) => version !== "");
  const different = told.filter(({ version }) => version !== own);
  if (different.length === 0) return ok("members.version", `All nodes run exo-native ${own}`);
  const list = different.map(({ name, version, id }) => `${id === node.id ? "this node" : name} ${version}`).join(", ");
  return warning(
    "members.version",
    `Not all nodes run exo-native ${own}, as this command does`,
    `${list}. Nodes of different builds refuse each other, and a ring may lack what only newer nodes can do.`,
    `Install ${own} on all of them and start them again.`,
  );
}

function notUsed(node: NodeDocument): readonly Finding[] {
  const { name, address, state, reason, notice } = node;
  if (state === "alive") {
    const fault = reason ?? notice ?? null;
    return fault === null ? [] : [warning("members.state", `${name} has a fault`, fault, "Do what the sentence says.")];
  }
  const who = name === address ? address : `${name} (${address})`;
  const why = reason ?? "It has not answered.";
  if (state === "refused") {
    return [warning("members.state", `${who} was seen but is not used`, why, mendOfRefusal(why))];
  }
  return [
    warning(
      "members.state",
      `${who} does not answer`,
      why,
      "See whether exo-native runs there, and whether its firewall lets this machine in.",
    ),
  ];
}

function mendOfRefusal(reason: string): string {
  if (reason.includes("is this node itself")) return "Leave this address out of the node's own --peer.";
  return "Do what the reason says: nodes of a ring run the same release and are open to each other.";
}

function brokenRings({ rings }: ClusterDocument): readonly Finding[] {
  return rings
    .filter(({ state }) => state === "failed")
    .map(({ model, reason }) =>
      problem(
        "node",
        `${model} does not run`,
        reason ?? "Its ring failed.",
        "The log of the node that was started with it says more; npx exo-native status shows the ring.",
      ),
    );
}
