/** What was typed is wrong, in a sentence that says so. */
export class UsageFault extends Error {}

/** Runs a script; a failure is one sentence, and exit code 2 if the command line was at fault, else 1. */
export async function runScript(main: () => Promise<void>): Promise<void> {
  try {
    await main();
  } catch (thrown) {
    process.stderr.write(`error: ${thrown instanceof Error ? thrown.message : String(thrown)}\n`);
    process.exitCode = isUsage(thrown) ? 2 : 1;
  }
}

/** A whole number above 0 that follows a flag. */
export function countOf(text: string, flag: string): number {
  const count = Number(text);
  if (Number.isInteger(count) && count > 0) return count;
  throw new UsageFault(`Expected a whole number above 0 for ${flag}, received "${text}".`);
}

/** Several of them, separated by commas. */
export function countsOf(text: string, flag: string): readonly number[] {
  return text.split(",").map((part) => countOf(part, flag));
}

/** `parseArgs` of Node throws errors with codes of its own. */
function isUsage(thrown: unknown): boolean {
  if (thrown instanceof UsageFault) return true;
  const code: unknown = thrown instanceof Error ? Reflect.get(thrown, "code") : null;
  return typeof code === "string" && code.startsWith("ERR_PARSE_ARGS");
}
