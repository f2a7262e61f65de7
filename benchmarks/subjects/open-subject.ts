import type { SubjectSpec } from "../cases/bench-case.js";
import { allCores, coresOf, findPinning, type Pinning, pinned } from "../host/pinning.js";
import { peerTool } from "../peers/tools.js";
import { LlamaCpp } from "./llama-cpp.js";
import { NodeLlamaCpp } from "./node-llama-cpp.js";
import { RingUnderTest } from "./ring-under-test.js";
import { RpcServers } from "./rpc-servers.js";
import type { Subject, SubjectContext } from "./subject.js";

/** Starts what is to be measured. Throws `Unavailable` where that cannot be here. */
export async function openSubject(spec: SubjectSpec, context: SubjectContext): Promise<Subject> {
  const pinning = findPinning(context.cores);
  switch (spec.kind) {
    case "llama.cpp":
      return openAlone(spec.threads, context, pinning);
    case "rpc":
      return openRpc(spec, context, pinning);
    case "node-llama-cpp":
      return NodeLlamaCpp.start(context, pinning);
    case "ring":
      return RingUnderTest.start(spec, context, pinning);
  }
}

function openAlone(threads: "one" | "all", context: SubjectContext, pinning: Pinning): Subject {
  const { modelPath, peersDirectory, timeout, cores } = context;
  peerTool(peersDirectory, "llama-bench");
  const where = threads === "one" ? coresOf(0, cores) : allCores(cores);
  const before = pinned(pinning, where);
  return new LlamaCpp({ modelPath, peersDirectory, timeout, threads: where.length, before, rpc: [] }, context);
}

async function openRpc(
  { servers, link }: Extract<SubjectSpec, { kind: "rpc" }>,
  context: SubjectContext,
  pinning: Pinning,
): Promise<Subject> {
  const { modelPath, peersDirectory, timeout, cores } = context;
  peerTool(peersDirectory, "llama-bench");
  const running = await RpcServers.start(servers, link, context, pinning);
  // The client itself computes next to nothing; it may be wherever a server is.
  const before = pinned(pinning, allCores(Math.min(servers, cores)));
  const settings = { modelPath, peersDirectory, timeout, threads: 1, before, rpc: running.endpoints };
  return new LlamaCpp(settings, context, () => running.stop());
}
