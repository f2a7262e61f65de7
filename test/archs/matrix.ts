import { rm } from "node:fs/promises";
import { z } from "zod";
import { $ } from "zx";
import type { GeneratedModel } from "./models.js";
import { type ArchTools, libraryEnvironment } from "./tools.js";

const lineSchema = z.object({
  cut: z.string(),
  program: z.string(),
  n_layer: z.number(),
  /** Normalized mean squared error of the logits; `null` when something was not finite. */
  prefill: z.number().nullable().optional(),
  decode: z.number().nullable().optional(),
  refused: z.string().optional(),
  failed: z.string().optional(),
});

/** One cut of one model under one program: equal or not, refused with the reason, or gone wrong. */
export interface Comparison {
  readonly cut: string;
  readonly program: string;
  readonly outcome: "equal" | "different" | "refused" | "failed" | "crash";
  /** Worst of prefill and decode; `null` when nothing was computed. */
  readonly error: number | null;
  /** Why it was refused or failed. */
  readonly reason: string;
}

/** Equal to the whole model: normalized mean squared error below this. */
export const EQUAL = 1e-6;

/** One prompt in two passes then single tokens; three sequences in one batch. As in native/test/archs/program.cpp. */
export const PROGRAMS = ["one sequence", "several sequences"] as const;

/**
 * Runs the whole model with the untouched libraries, then every cut with ours. Each model has processes of its own, so a
 * crash costs one cut.
 */
export async function compareCuts(
  tools: ArchTools,
  model: GeneratedModel,
  cuts: readonly string[],
): Promise<Comparison[]> {
  const reference = `${model.path}.reference`;
  const whole = await $({
    quiet: true,
    nothrow: true,
    env: libraryEnvironment(tools.referenceLibraries),
  })`${tools.stageMatrix} reference ${model.path} ${reference}`;
  if (whole.exitCode !== 0)
    return [wrong("whole", "failed", `The whole model does not run: ${lastLine(whole.stderr)}`)];
  try {
    return await checkAll(tools, model, reference, cuts);
  } finally {
    await rm(reference, { force: true });
  }
}

async function checkAll(
  tools: ArchTools,
  model: GeneratedModel,
  reference: string,
  cuts: readonly string[],
): Promise<Comparison[]> {
  const found: Comparison[] = [];
  let rest = [...cuts];
  while (rest.length > 0) {
    const run = $({ quiet: true, nothrow: true, env: libraryEnvironment(tools.libraries) });
    const output = await run`${tools.stageMatrix} check ${model.path} ${reference} ${rest}`;
    const lines = output.stdout.split("\n").filter((line) => line !== "");
    const comparisons = lines.map((line) => comparisonOf(lineSchema.parse(JSON.parse(line))));
    found.push(...comparisons);
    rest = rest.filter((cut) => comparisons.filter((one) => one.cut === cut).length < PROGRAMS.length);
    const [broken, ...next] = rest;
    if (broken === undefined) break;
    found.push(wrong(broken, "crash", `signal ${output.signal ?? "none"}, exit code ${output.exitCode}`));
    rest = next;
  }
  return found;
}

function wrong(cut: string, outcome: "failed" | "crash", reason: string): Comparison {
  return { cut, program: "", outcome, error: null, reason };
}

function comparisonOf(line: z.infer<typeof lineSchema>): Comparison {
  const { cut, program } = line;
  // Only a refusal by name counts as one; any other failure to load is a fault.
  if (line.refused?.startsWith("exo: ") === true) {
    return { cut, program, outcome: "refused", error: null, reason: line.refused.slice("exo: ".length) };
  }
  const failure = line.refused ?? line.failed;
  if (failure !== undefined) return { cut, program, outcome: "failed", error: null, reason: failure };
  if (typeof line.prefill !== "number" || typeof line.decode !== "number") {
    return { cut, program, outcome: "different", error: null, reason: "values are not finite" };
  }
  const error = Math.max(line.prefill, line.decode);
  return { cut, program, outcome: error < EQUAL ? "equal" : "different", error, reason: "" };
}

function lastLine(text: string): string {
  return text.trim().split("\n").at(-1) ?? "";
}
