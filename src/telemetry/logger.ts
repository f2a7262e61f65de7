import { type DestinationStream, type LoggerOptions, pino, stdSerializers } from "pino";
import { prettyFactory } from "pino-pretty";
import type { LogFormat, LogLevel } from "../config/config.js";
import { wantsColours } from "../core/colours.js";
import { ExoError } from "../core/errors.js";
import type { Logger } from "../core/ports.js";

export interface LoggerSettings {
  readonly level: LogLevel;
  /** `auto`: pretty on a terminal, JSON otherwise. */
  readonly format: LogFormat;
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Default: standard error, so that standard output stays free for answers and `--json`. */
  readonly destination?: DestinationStream;
  readonly isTerminal?: boolean;
  /** Gets each line too, as JSON; not those of the level debug, of which there may be very many. */
  readonly copy?: (line: string) => void;
}

const STANDARD_ERROR = 2;
/** Bytes of lines that wait while they cannot be written, e.g. to a file on a full disk; further ones are lost. */
const MOST_UNWRITTEN = 1024 * 1024;

/** Fields that hold secrets or people's text, at the top of the fields or one level down. */
const PRIVATE_FIELDS = [
  "apiKey",
  "authorization",
  "content",
  "cookie",
  "input",
  "join",
  "key",
  "messages",
  "password",
  "prompt",
  "secret",
  "text",
  "token",
];
const PRIVATE_HEADERS = ["req.headers.authorization", "req.headers.cookie", 'req.headers["x-api-key"]'];

function serializeError(thrown: unknown): unknown {
  if (thrown instanceof ExoError) {
    const { code, message, stack, cause } = thrown;
    const known = code === "internal" ? { code, message, stack } : { code, message };
    return cause instanceof Error ? { ...known, cause: cause.message } : known;
  }
  return thrown instanceof Error ? stdSerializers.err(thrown) : thrown;
}

function destinationOf(settings: LoggerSettings): DestinationStream {
  const plain = settings.destination ?? standardError();
  const isTerminal = settings.isTerminal ?? process.stderr.isTTY === true;
  if (settings.format === "json" || (settings.format === "auto" && !isTerminal)) return plain;
  const colorize = wantsColours(isTerminal, settings.env ?? process.env);
  const pretty = prettyFactory({ colorize, ignore: "pid,hostname", translateTime: "SYS:HH:MM:ss", singleLine: true });
  return { write: (line) => plain.write(pretty(line)) };
}

/** A log that cannot be written must not end the node. */
function standardError(): DestinationStream {
  const destination = pino.destination({ fd: STANDARD_ERROR, sync: true, maxLength: MOST_UNWRITTEN });
  destination.on("error", () => {});
  return destination;
}

function withCopy(destination: DestinationStream, copy: LoggerSettings["copy"]): DestinationStream {
  if (copy === undefined) return destination;
  return {
    write: (line) => {
      destination.write(line);
      if (!line.startsWith('{"level":"debug"')) copy(line);
    },
  };
}

/** The real log sink. It writes what it is given, so the rule "never prompt or answer text" binds its callers. */
export function createLogger(settings: LoggerSettings): Logger {
  const options: LoggerOptions = {
    level: settings.level,
    base: null,
    redact: { paths: [...PRIVATE_FIELDS, ...PRIVATE_FIELDS.map((field) => `*.${field}`), ...PRIVATE_HEADERS] },
    serializers: { err: serializeError, error: serializeError },
    formatters: { level: (label) => ({ level: label }) },
  };
  return pino(options, withCopy(destinationOf(settings), settings.copy));
}
