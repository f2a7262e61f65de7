import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { packageRoot } from "../../src/core/package.js";
import { outcomeSchema } from "./outcome.js";

const PATH = join(packageRoot(), "test", "parity", "recorded.json");

const recordingSchema = z.object({
  name: z.string(),
  /** The request, so that a shape that has changed since is seen. */
  body: z.record(z.string(), z.unknown()),
  outcome: outcomeSchema,
});
const fileSchema = z.object({ llamaTag: z.string(), recordings: z.array(recordingSchema) });

export type Recording = z.infer<typeof recordingSchema>;
export type RecordedFile = z.infer<typeof fileSchema>;

/** What llama-server answered. */
export function readRecorded(): RecordedFile {
  return fileSchema.parse(JSON.parse(readFileSync(PATH, "utf8")));
}

/** One recording per line, so that a change is seen as one. */
export function writeRecorded({ llamaTag, recordings }: RecordedFile): void {
  const lines = recordings.map((one) => `    ${JSON.stringify(one)}`).join(",\n");
  writeFileSync(PATH, `{\n  "llamaTag": ${JSON.stringify(llamaTag)},\n  "recordings": [\n${lines}\n  ]\n}\n`);
}
