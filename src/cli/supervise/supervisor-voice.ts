import type { Config, LogLevel } from "../../config/config.js";
import type { CliIo } from "../terminal/cli-io.js";
import { paintFor } from "../terminal/paint.js";

const ORDER: readonly LogLevel[] = ["debug", "info", "warn", "error", "silent"];

/** Says something in the way of the node's log, without its logger, which would take memory. */
export type Voice = (level: "warn" | "error", sentence: string) => void;

export function voiceOf({ logLevel, logFormat }: Pick<Config, "logLevel" | "logFormat">, io: CliIo): Voice {
  const json = logFormat === "json" || (logFormat === "auto" && io.stderr.isTTY !== true);
  const paint = paintFor(io.stderr, io.env);
  return (level, sentence) => {
    if (ORDER.indexOf(level) < ORDER.indexOf(logLevel)) return;
    const plain = `${paint(level === "error" ? "red" : "yellow", level === "error" ? "error:" : "warning:")} ${sentence}`;
    io.stderr.write(`${json ? JSON.stringify({ level, time: Date.now(), msg: sentence }) : plain}\n`);
  };
}
