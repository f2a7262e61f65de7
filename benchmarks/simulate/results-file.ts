import { readFile } from "node:fs/promises";
import { z } from "zod";
import { spreadOf } from "../../src/core/statistics.js";
import { OptionError } from "./options.js";

/** The part of a results file of `npm run bench` that is needed here. */
const resultsSchema = z.object({
  version: z.literal(1),
  machine: z.object({
    processor: z.string(),
    cores: z.int(),
    /** Of the minute before the run. */
    loadAverage: z.number(),
  }),
  model: z.object({ id: z.string(), quantisation: z.string() }),
  cases: z.array(
    z.object({
      id: z.string(),
      subjects: z.array(
        z.object({
          subject: z.string(),
          samples: z.record(z.string(), z.array(z.number())),
          settings: z.record(z.string(), z.string()).default({}),
        }),
      ),
    }),
  ),
});

export type Results = z.infer<typeof resultsSchema>;

export async function readResults(file: string): Promise<Results> {
  let document: unknown;
  try {
    document = JSON.parse(await readFile(file, "utf8"));
  } catch (thrown) {
    throw new OptionError(`${file} cannot be read as JSON: ${thrown instanceof Error ? thrown.message : thrown}.`);
  }
  const parsed = resultsSchema.safeParse(document);
  if (parsed.success) return parsed.data;
  const where = parsed.error.issues[0]?.path.join(".") || "its root";
  throw new OptionError(`${file} is not a results file of "npm run bench" in its present shape (at ${where}).`);
}

/** The median of a figure's samples; `null` where it was not measured. */
export function measured(results: Results, caseId: string, subject: string, figure: string): number | null {
  const one = results.cases.find(({ id }) => id === caseId);
  const samples = one?.subjects.find((candidate) => candidate.subject === subject)?.samples[figure] ?? [];
  return samples.length === 0 ? null : spreadOf(samples).median;
}
