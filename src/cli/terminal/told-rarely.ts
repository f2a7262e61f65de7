/** The first repetition of a line comes after so long; each further one after twice as long. Milliseconds. */
const FIRST_PAUSE = 3000;
const LONGEST_PAUSE = 60_000;

interface Told {
  readonly line: string;
  readonly at: number;
  readonly pause: number;
}

/** When to tell again how far something is, where no bar can be drawn: at each change, then more and more rarely. */
export class ToldRarely {
  readonly #now: () => number;
  readonly #told = new Map<string, Told>();

  constructor(now: () => number) {
    this.#now = now;
  }

  /**
   * Whether it is time for this line about `key`.
   *
   * @param line without what changes all the time
   * @param mayRepeat it has something new to tell although the line is the same
   */
  isDue(key: string, line: string, mayRepeat = true): boolean {
    const at = this.#now();
    const last = this.#told.get(key);
    const isSame = last?.line === line;
    if (isSame && (!mayRepeat || at - last.at < last.pause)) return false;
    this.#told.set(key, { line, at, pause: isSame ? Math.min(LONGEST_PAUSE, last.pause * 2) : FIRST_PAUSE });
    return true;
  }
}
