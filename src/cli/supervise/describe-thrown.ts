import type { UncaughtError } from "./node-message.js";

/** Their messages come from the engine, and name code rather than data. */
const OWN_WORDS: ReadonlySet<string> = new Set(["TypeError", "RangeError", "ReferenceError"]);

const MOST_FRAMES = 20;
const MOST_LENGTH = 300;

/** An error for a crash report. What a message may have taken from a request, such as a piece of a prompt, is left out. */
export function describeThrown(thrown: unknown): UncaughtError {
  if (!(thrown instanceof Error)) return { name: typeof thrown, message: null, frames: [] };
  const { name, message, stack = "" } = thrown;
  const frames = stack.split("\n").filter((line) => /^\s+at /.test(line));
  return {
    name: name.slice(0, MOST_LENGTH),
    message: OWN_WORDS.has(name) || isOfSystem(thrown) ? message.slice(0, MOST_LENGTH) : null,
    frames: frames.slice(0, MOST_FRAMES).map((line) => line.trim().slice(0, MOST_LENGTH)),
  };
}

/** Such as "listen EADDRINUSE: address already in use". */
function isOfSystem(error: Error): boolean {
  return typeof Reflect.get(error, "errno") === "number";
}
