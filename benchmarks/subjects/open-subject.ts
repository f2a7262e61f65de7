import type { SubjectSpec } from "../cases/bench-case.js";
import { coreOf, pinned, spareCores } from "../host/pinning.js";
import { peerTool } from "../peers/tools.js";
import { LlamaCpp } from "./llama-cpp.js";
import { NodeLlamaCpp } from "./node-llama-cpp.js";
import { RingUnderTest } from "./ring-under-test.js";
import { RpcServers } from "./rpc-servers.js";
import type { Subject, SubjectContext } from "./subject.js";

/** Starts what is to be measured. Throws `Unavailable` where that cannot be here. */
export async function openSubject(spec: SubjectSpec, context: SubjectContext): Promise<Subject> {
  switch (spec.kind) {
    case "llama.cpp":
      return openAlone(spec.threads, context);
    case "rpc":
      return openRpc(spec, context);
    case "node-llama-cpp":
      return NodeLlamaCpp.start(context);
    case "ring":
      return RingUnderTest.start(spec, context);
  }
}

/** The same, after a little work that nobody counts: for runs that have no round to warm up. */
export async function openWarm(spec: SubjectSpec, context: SubjectContext): Promise<Subject> {
  const subject = await openSubject(spec, context);
  try {
    await subject.warmUp();
    return subject;
  } catch (thrown) {
    await subject.close();
    throw thrown;
  }
}

function openAlone(threads: "one" | "all", context: SubjectContext): Subject {
  const { modelPath, peersDirectory, timeout, pinning } = context;
  peerTool(peersDirectory, "llama-bench");
  const where = threads === "one" ? coreOf(0, pinning) : pinning.cores;
  const before = pinned(pinning, where);
  return new LlamaCpp({ modelPath, peersDirectory, timeout, threads: where.length, before, rpc: [] }, context);
}

async function openRpc(
  { servers, link }: Extract<SubjectSpec, { kind: "rpc" }>,
  context: SubjectContext,
): Promise<Subject> {
  const { modelPath, peersDirectory, timeout, pinning } = context;
  peerTool(peersDirectory, "llama-bench");
  const running = await RpcServers.start(servers, link, context);
  // The client computes next to nothing; where no core is left for it, it may be wherever a server is.
  const spare = spareCores(servers, pinning);
  const before = pinned(pinning, spare.length > 0 ? spare : pinning.cores.slice(0, servers));
  const settings = { modelPath, peersDirectory, timeout, threads: 1, before, rpc: running.endpoints };
  return new LlamaCpp(settings, context, { servers, release: () => running.stop() });
}
