import { ExoError } from "../../core/errors.js";
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
import { type ComparedAnswer, mismatchText, verifyReport, verifyTable } from "./verify-report.js";

type Options = Readonly<Record<string, unknown>>;

/** Seconds. */
const DEFAULT_DURATION = 300;

/**
 * The mean difference of log-probabilities in an answer that passes for rounding. Seen with TinyLlama on two nodes, IQ2_XXS
 * and Q4_0: none at all alone with f32 on the wire, 0.04 where the cache or other requests change the batches, 0.05 with
 * q8_0 on the wire (0.46 at one place). A wrong layer, position or cache is off by far more.
 */
export const DEFAULT_TOLERANCE = 0.25;

/** Compares the ring's answers with the whole model in this process; throws when they differ by more than rounding. */
export async function verifyRing(target: BenchTarget, options: Options, stop: AbortSignal, io: CliIo): Promise<void> {
  const quiet = options.logLevel === undefined && !io.env.EXO_NATIVE_LOG_LEVEL ? { logLevel: "error" } : {};
  const config = await readConfig({ ...options, ...quiet }, io);
  const against = typeof options.against === "string" ? options.against : null;
  const tolerance = typeof options.tolerance === "number" ? options.tolerance : DEFAULT_TOLERANCE;
  const seconds = typeof options.duration === "number" ? options.duration : DEFAULT_DURATION;
  const whole = await findWholeModel(target, against, openModelStore(config, io));
  const screen = new StatusScreen(io.stderr, io.now);
  const timeUp = AbortSignal.timeout(seconds * 1000);
  screen.show([`Loading all of ${whole.id} …`]);
  const contextSize = longestQuestion(target.ring.context_size);
  const reference = await ReferenceModel.load(whole, config, contextSize, stop).finally(() => screen.clear());
  try {
    const compared = await compareAll(target, reference, { stop, timeUp, screen });
    const report = verifyReport(target, { reference: whole.path, tolerance, timeUp: timeUp.aborted, compared });
    if (options.json === true) io.stdout.write(`${JSON.stringify(report, null, 2)}\n`);
    else io.stdout.write(verifyTable(report, widthOf(io.stdout), paintFor(io.stdout, io.env)));
    if (compared.length === 0) {
      throw new ExoError(
        "deadline_exceeded",
        `Nothing could be compared within ${seconds} s; give more with --duration.`,
      );
    }
    if (!report.ok) throw new ExoError("internal", mismatchText(report));
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

/** What was compared by the end, or by the time that it was up. */
async function compareAll(
  { client, model, ring }: BenchTarget,
  reference: ReferenceModel,
  { stop, timeUp, screen }: Watch,
): Promise<readonly ComparedAnswer[]> {
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
        compared.push({ answer, comparison, referenceText });
      }
      screen.show(["Asking the ring …"]);
    }
  } catch (thrown) {
    if (stop.aborted) throw new ExoError("cancelled", "Stopped before everything was compared.", { cause: thrown });
    if (!timeUp.aborted) throw thrown;
  }
  return compared;
}
