import { styleText } from "node:util";

/** Says what a long command does, and how long each part took. */
export class Phases {
  readonly #write: (line: string) => void;

  constructor(write: (line: string) => void = (line) => void process.stderr.write(`${line}\n`)) {
    this.#write = write;
  }

  say(line: string): void {
    this.#write(line);
  }

  async run<Result>(name: string, work: () => Promise<Result>): Promise<Result> {
    this.#write(`${styleText("cyan", "▸")} ${name} …`);
    const started = performance.now();
    const result = await work();
    this.#write(`  ${styleText("dim", `${((performance.now() - started) / 1000).toFixed(1)} s`)}`);
    return result;
  }
}
