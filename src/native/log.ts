import type { Logger } from "../core/ports.js";
import { loadBindings } from "./load.js";

/** Sends llama.cpp's and ggml's own log lines to `logger`, one call per line. */
export function setNativeLogger(logger: Logger): void {
  loadBindings().log_set_sink((level, text) => {
    const fields = { source: "llama.cpp" };
    switch (level) {
      case "error":
        return logger.error(fields, text);
      case "warn":
        return logger.warn(fields, text);
      default:
        // llama.cpp's "info" is a page per model: detail for whoever asks for it.
        return logger.debug(fields, text);
    }
  });
}

/** Drops native log lines from now on, and lets go of the logger. */
export function clearNativeLogger(): void {
  loadBindings().log_set_sink(null);
}
