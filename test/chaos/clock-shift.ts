import { readFileSync } from "node:fs";

/**
 * Loaded into a node process by the chaos suite (`--import`): its calendar clock jumps by as many milliseconds as the file
 * `CHAOS_CLOCK_FILE` says, each time that SIGUSR2 comes. Monotonic time goes on, as when a clock is set.
 */
const file = process.env.CHAOS_CLOCK_FILE;

if (file !== undefined) {
  const RealDate = Date;
  const realNow = Date.now.bind(Date);
  let shift = 0;

  class ShiftedDate extends RealDate {
    constructor(...args: readonly unknown[]) {
      if (args.length === 0) super(realNow() + shift);
      else super(...(args as [number]));
    }

    static override now(): number {
      return realNow() + shift;
    }
  }
  globalThis.Date = ShiftedDate as DateConstructor;

  const read = (): void => {
    try {
      shift = Number(readFileSync(file, "utf8")) || 0;
    } catch {
      shift = 0;
    }
  };
  read();
  process.on("SIGUSR2", read);
}
