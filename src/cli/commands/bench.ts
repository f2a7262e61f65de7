import { ExoError } from "../../core/errors.js";
import { type BenchSetting, benchCases, warmUp } from "../bench/bench-cases.js";
import { benchReport } from "../bench/bench-report.js";
import { runBench } from "../bench/bench-run.js";
import { benchTable } from "../bench/bench-table.js";
import { type BenchTarget, findBenchTarget } from "../bench/bench-target.js";
import { PromptMaker } from "../bench/prompt-maker.js";
import { type RingWork, workBetween } from "../bench/stage-work.js";
import { EXIT, UsageError } from "../failure.js";
import type { ClusterDocument } from "../node-client/cluster-document.js";
import { StopRequest } from "../stop-request.js";
import { type CliIo, widthOf } from "../terminal/cli-io.js";
import { paintFor } from "../terminal/paint.js";
import { StatusScreen } from "../terminal/status-screen.js";

type Options = Readonly<Record<string, unknown>>;

const ROUNDS = 3;
/** Seconds. */
const DEFAULT_DURATION = 60;

/** Measures a running ring over its API, or compares what it answers with one node. */
export async function bench(model: string | undefined, options: Options, io: CliIo): Promise<void> {
  if (options.verify !== true && (options.against !== undefined || options.tolerance !== undefined)) {
    throw new UsageError("--against and --tolerance say how to compare, so they need --verify.");
  }
  const target = await findBenchTarget(model, options, io);
  const stop = new StopRequest(process, io.now, () => process.exit(EXIT.failed));
  try {
    if (options.verify === true) {
      const { verifyRing } = await import("../verify/verify-ring.js");
      await verifyRing(target, options, stop.signal, io);
    } else {
      await measure(target, options, stop.signal, io);
    }
  } finally {
    stop.release();
    await target.stop();
  }
}

async function measure(target: BenchTarget, options: Options, stop: AbortSignal, io: CliIo): Promise<void> {
  const budgetMs = (typeof options.duration === "number" ? options.duration : DEFAULT_DURATION) * 1000;
  const timeUp = AbortSignal.timeout(budgetMs);
  const screen = new StatusScreen(io.stderr, io.now);
  try {
    const { run, work } = await measured(target, { budgetMs, timeUp, stop, screen, io });
    screen.clear();
    const report = benchReport(target, slotsOf(target), run, work);
    if (options.json === true) io.stdout.write(`${JSON.stringify(report, null, 2)}\n`);
    else if (run.samples.length > 0)
      io.stdout.write(benchTable(report, widthOf(io.stdout), paintFor(io.stdout, io.env)));
    if (run.failure !== null) throw run.failure;
    if (run.samples.length === 0) throw nothingMeasured(budgetMs);
  } catch (thrown) {
    if (stop.aborted) throw new ExoError("cancelled", "Stopped before everything was measured.", { cause: thrown });
    if (timeUp.aborted) throw nothingMeasured(budgetMs);
    throw thrown;
  } finally {
    screen.clear();
  }
}

interface Limits {
  readonly budgetMs: number;
  readonly timeUp: AbortSignal;
  readonly stop: AbortSignal;
  readonly screen: StatusScreen;
  readonly io: CliIo;
}

async function measured(target: BenchTarget, { budgetMs, timeUp, stop, screen, io }: Limits) {
  const { client, model, ring } = target;
  const begunAt = io.now();
  const setting: BenchSetting = {
    client,
    prompts: new PromptMaker(client, model.id),
    model: model.id,
    contextSize: ring.context_size,
    slots: slotsOf(target),
    now: io.now,
  };
  screen.show(["Warming up …"]);
  await warmUp(setting, AbortSignal.any([stop, timeUp]));
  const before = await client.cluster();
  const run = await runBench({
    cases: benchCases(setting),
    rounds: ROUNDS,
    budgetMs: budgetMs - (io.now() - begunAt),
    timeUp,
    stop,
    now: io.now,
    onCase: (label, round) => screen.show([`Measuring ${label} (${round} of ${ROUNDS}) …`]),
  });
  return { run, work: await workSince(before, target) };
}

function slotsOf({ ring }: BenchTarget): number {
  return ring.slots ?? 1;
}

/** `null` when the node is no longer there to ask. */
async function workSince(before: ClusterDocument, { client, ring }: BenchTarget): Promise<RingWork | null> {
  try {
    return workBetween(before, await client.cluster(), ring);
  } catch {
    return null;
  }
}

function nothingMeasured(budgetMs: number): ExoError {
  return new ExoError(
    "deadline_exceeded",
    `Nothing could be measured within ${budgetMs / 1000} s; give more time with --duration.`,
  );
}
