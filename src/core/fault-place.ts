import { ExoError } from "./errors.js";

/** Where something went wrong, without the message, which may hold somebody's text: for logs. */
export function faultPlace(thrown: unknown): { readonly kind: string; readonly stack: string } {
  const cause = thrown instanceof ExoError && thrown.cause !== undefined ? thrown.cause : thrown;
  if (!(cause instanceof Error)) return { kind: typeof cause, stack: "" };
  const frames = (cause.stack ?? "").split("\n").filter((line) => /^\s+at /.test(line));
  return { kind: cause.name, stack: frames.join("\n") };
}
