import { createHash } from "node:crypto";
import { AsyncQueue } from "../../core/async-queue.js";
import type { ModelProgress } from "../../model/progress.js";
import type { ModelLibrary } from "../ports.js";

/** What a client reads while a model is fetched. A failure before the first byte is thrown before the first line. */
export async function* pullLines(library: ModelLibrary, name: string, signal: AbortSignal) {
  const reports = new AsyncQueue<ModelProgress>();
  library
    .resolve(name, {
      signal,
      onProgress: (progress) => reports.pushOver(progress, ({ phase }) => phase === progress.phase),
    })
    .then(
      () => reports.end(),
      (thrown: unknown) => reports.fail(thrown),
    );
  let phase: ModelProgress["phase"] | null = null;
  for await (const report of reports) {
    if (phase === null) yield { status: "pulling manifest" };
    if (report.phase === "verifying" && phase !== "verifying") yield { status: "verifying sha256 digest" };
    phase = report.phase;
    if (phase !== "verifying") yield progressLine(name, report);
  }
  if (phase === null) yield { status: "pulling manifest" };
  yield { status: "writing manifest" };
  yield { status: "success" };
}

/** All files of a model count together. The digest tells downloads apart; what comes is checked against its own. */
function progressLine(name: string, { received, total }: ModelProgress) {
  return {
    status: `pulling ${name}`,
    digest: `sha256:${createHash("sha256").update(name).digest("hex")}`,
    ...(total === null ? {} : { total }),
    completed: received,
  };
}
