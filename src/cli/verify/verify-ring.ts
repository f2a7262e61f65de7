import { ExoError } from "../../core/errors.js";
import { listDevices } from "../../native/devices.js";
import type { BenchTarget } from "../bench/bench-target.js";
import { PromptMaker } from "../bench/prompt-maker.js";
import { readConfig } from "../config-flags.js";
import { openModelStore } from "../model-store.js";
import { type CliIo, widthOf } from "../terminal/cli-io.js";
import { paintFor } from "../terminal/paint.js";
import { StatusScreen } from "../terminal/status-screen.js";
import { askRing, longestQuestion, type RingAnswer } from "./ask-ring.js";
import { compareAnswer, type ReferenceRow } from "./compare-answer.js";
import { findWholeModel } from "./find-whole-model.js";
import { ReferenceModel } from "./reference-model.js";
import { ringComputing } from "./ring-computing.js";
import { DEFAULT_TOLERANCE, EXACT_TOLERANCE, mustBeExact } from "./tolerance.js";
import { type ComparedAnswer, mismatchText, verifyReport, verifyTable } from "./verify-report.js";

type Options = Readonly<Record<string, unknown>>;

/** Seconds. */
const DEFAULT_DURATION = 300;

/** Compares the ring's answers with the whole model in this process; throws when they differ by more than rounding. */
export async function verifyRing(target: BenchTarget, options: Options, stop: AbortSignal, io: CliIo): Promise<void> {
  const quiet = options.logLevel === undefined && !io.env.EXO_NATIVE_LOG_LEVEL ? { logLevel: "error" } : {};
  const config = await readConfig({ ...options, ...quiet }, io);
  const against = typeof options.against === "string" ? options.against : null;
  const asked = typeof options.tolerance === "number" ? options.tolerance : null;
  const seconds = typeof options.duration === "number" ? options.duration : DEFAULT_DURATION;
  const whole = await findWholeModel(target, against, openModelStore(config, io));
  const screen = new StatusScreen(io.stderr, io.now);
  const timeUp = AbortSignal.timeout(seconds * 1000);
  screen.show([`Loading all of ${whole.id} …`]);
  const computing = ringComputing(target.ring, config);
  const contextSize = longestQuestion(target.ring.context_size);
  const ring = { computing, contextSize, stageCount: target.ring.stages.length };
  const reference = await ReferenceModel.load(whole, config, ring, stop).finally(() => screen.clear());
  const devices = listDevices();
  const toleranceOf = (answer: RingAnswer): number =>
    asked ??
    (against === null && mustBeExact(answer, target, computing, devices) ? EXACT_TOLERANCE : DEFAULT_TOLERANCE);
  try {
    const { compared, complete } = await compareAll(target, reference, toleranceOf, { stop, timeUp, screen });
    const tolerance = asked ?? DEFAULT_TOLERANCE;
    const report = verifyReport(target, { reference: whole.path, tolerance, complete, compared });
    if (options.json === true) io.stdout.write(`${JSON.stringify(report, null, 2)}\n`);
    else io.stdout.write(verifyTable(report, widthOf(io.stdout), paintFor(io.stdout, io.env)));
    if (compared.length === 0) {
      throw new ExoError(
        "deadline_exceeded",
        `Nothing could be compared within ${seconds} s; give more with --duration.`,
      );
    }
    if (!report.ok) throw new ExoError("internal", mismatchText(report));
    if (!complete) {
      throw new ExoError(
        "deadline_exceeded",
        `What was compared agrees, but not everything was compared within ${seconds} s; give more with --duration.`,
      );
    }
  } finally {
    screen.clear();
    await reference.close();
  }
}

interface Watch {
  readonly stop: AbortSignal;
  readonly timeUp: AbortSignal;
  readonly screen: StatusScreen;
}

interface Compared {
  /** By the end, or by the time that it was up. */
  readonly compared: readonly ComparedAnswer[];
  readonly complete: boolean;
}

async function compareAll(
  { client, model, ring }: BenchTarget,
  reference: ReferenceModel,
  toleranceOf: (answer: RingAnswer) => number,
  { stop, timeUp, screen }: Watch,
): Promise<Compared> {
  const signal = AbortSignal.any([stop, timeUp]);
  const compared: ComparedAnswer[] = [];
  const known = new Map<string, readonly ReferenceRow[]>();
  const rowsOf = async ({ prompt, tokens }: RingAnswer): Promise<readonly ReferenceRow[]> => {
    const answer = tokens.map(({ id }) => id);
    const key = `${prompt.join()};${answer.join()}`;
    const rows = known.get(key) ?? (await reference.score(prompt, answer, signal));
    known.set(key, rows);
    return rows;
  };
  try {
    const prompts = new PromptMaker(client, model.id);
    const asked = { client, prompts, model: model.id, contextSize: ring.context_size, slots: ring.slots ?? 1, signal };
    screen.show(["Asking the ring …"]);
    for await (const answers of askRing(asked)) {
      for (const answer of answers) {
        screen.show([`Comparing the answer to ${answer.label} …`]);
        const comparison = compareAnswer(answer.tokens, await rowsOf(answer));
        const first = comparison.firstDifference;
        const referenceText = first === null ? null : reference.textOf(first.referenceToken);
        compared.push({ answer, comparison, referenceText, tolerance: toleranceOf(answer) });
      }
      screen.show(["Asking the ring …"]);
    }
    return { compared, complete: true };
  } catch (thrown) {
    if (stop.aborted) throw new ExoError("cancelled", "Stopped before everything was compared.", { cause: thrown });
    if (!timeUp.aborted) throw thrown;
    return { compared, complete: false };
  }
}
