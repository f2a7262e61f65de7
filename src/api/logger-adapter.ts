import type { FastifyBaseLogger } from "fastify";
import type { Logger } from "../core/ports.js";

type Level = "debug" | "info" | "warn" | "error";

/** Lets fastify write to our logger: it logs `(fields, sentence)`, and at times a sentence or an error alone. */
export function toFastifyLogger(logger: Logger): FastifyBaseLogger {
  const at =
    (level: Level) =>
    (subject: unknown, message?: unknown): void => {
      if (typeof subject === "string") logger[level]({}, subject);
      else if (subject instanceof Error) logger[level]({ error: subject.message }, String(message ?? subject.message));
      else logger[level](Object(subject), String(message ?? ""));
    };
  const silent = (): void => {};
  return {
    level: "info",
    fatal: at("error"),
    error: at("error"),
    warn: at("warn"),
    info: at("info"),
    debug: at("debug"),
    trace: silent,
    silent,
    child: (bindings) => toFastifyLogger(logger.child(bindings)),
  };
}
