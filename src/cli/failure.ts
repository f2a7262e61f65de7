import { CommanderError } from "commander";
import { OPTIONS } from "../config/options.js";
import { ExoError } from "../core/errors.js";

/** Exit codes that scripts rely on. */
export const EXIT = { done: 0, failed: 1, badUsage: 2 } as const;

/** The command line itself was wrong: the one who typed it can mend it by typing something else. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** A setting that cannot be read is bad usage, whichever way it was given. */
export async function asUsage<Value>(read: () => Promise<Value>): Promise<Value> {
  try {
    return await read();
  } catch (thrown) {
    if (thrown instanceof ExoError && thrown.code === "invalid_argument") {
      throw new UsageError(thrown.message, { cause: thrown });
    }
    throw thrown;
  }
}

/** A process that did this one's work has said what was wrong. */
export class EndedWith extends Error {
  override readonly name = "EndedWith";
  readonly exitCode: number;

  constructor(exitCode: number) {
    super(`It ended with exit code ${exitCode}.`);
    this.exitCode = exitCode;
  }
}

export function exitCodeOf(thrown: unknown): number {
  if (thrown instanceof EndedWith) return thrown.exitCode;
  if (thrown instanceof CommanderError) return thrown.exitCode === 0 ? EXIT.done : EXIT.badUsage;
  return thrown instanceof UsageError || isWrongSetting(thrown) ? EXIT.badUsage : EXIT.failed;
}

const FLAGS: ReadonlySet<string> = new Set(Object.values(OPTIONS).map(({ flag }) => flag));

/** Some settings can be seen to be wrong only later: the name of a device, or layers that the model does not have. */
function isWrongSetting(thrown: unknown): boolean {
  if (!(thrown instanceof ExoError) || thrown.code !== "invalid_argument" || thrown.param === null) return false;
  return FLAGS.has(thrown.param.replace(/^--/, ""));
}

/** What to print for a failure, or `null` when it has been said already (commander prints its own). */
export function failureText(thrown: unknown, withStack: boolean): string | null {
  if (thrown instanceof CommanderError || thrown instanceof EndedWith) return null;
  const error = thrown instanceof Error ? thrown : new Error(String(thrown));
  if (withStack) return `error: ${error.message}\n${stacks(error)}`;
  const known = error instanceof ExoError || error instanceof UsageError;
  const hint = known ? "" : " (a fault of exo-native itself; --log-level debug shows where)";
  return `error: ${error.message}${hint}`;
}

function stacks(error: Error): string {
  const cause = error.cause instanceof Error ? `\ncaused by ${stacks(error.cause)}` : "";
  return `${error.stack ?? error.message}${cause}`;
}
