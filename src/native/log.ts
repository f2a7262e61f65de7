import type { Logger } from "../core/ports.js";
import { loadBindings } from "./load.js";

/** Sends llama.cpp's and ggml's own log lines to `logger`, one call per line. */
export function setNativeLogger(logger: Logger): void {
  loadBindings().log_set_sink((level, text) => {
    if (mayQuote(text)) return;
    const fields = { source: "llama.cpp" };
    switch (level) {
      case "notice":
        return logger.warn({}, text);
      case "error":
        return logger.warn(fields, text);
      default:
        // Its warnings are mostly notes to programmers, its "info" a page per model: detail for whoever asks for it.
        // What a user must know comes back as the error of the call.
        return logger.debug(fields, text);
    }
  });
}

/**
 * What llama.cpp says of grammars holds pieces of the answers that they are for, and of the grammars that somebody sent; it
 * logs nothing else of what is asked and answered. Why a grammar is refused comes as the error of the call, too.
 */
function mayQuote(text: string): boolean {
  return /grammar/i.test(text);
}

/** Drops native log lines from now on, and lets go of the logger. */
export function clearNativeLogger(): void {
  loadBindings().log_set_sink(null);
}
