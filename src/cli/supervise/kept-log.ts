import { z } from "zod";
import { lastWords } from "./kept-lines.js";

const MOST_LINES = 40;
const MOST_LENGTH = 1000;

/** Lines of llama.cpp and ggml are not under our rule that no text of users is logged. */
const foreign = z.object({ source: z.literal("llama.cpp"), msg: z.string() });

/** The last log lines of a node, each a JSON object. */
export class KeptLog {
  readonly #lines: string[] = [];

  add(line: string): void {
    const text = line.trim();
    const said = foreign.safeParse(parsed(text));
    if (said.success && lastWords(said.data.msg) === null) return;
    this.#lines.push(text.slice(0, MOST_LENGTH));
    if (this.#lines.length > MOST_LINES) this.#lines.shift();
  }

  lines(): readonly string[] {
    return this.#lines;
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
