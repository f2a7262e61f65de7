import { useEffect, useState } from "preact/hooks";

interface Answered<Answer> {
  /** The last one that came, also while the next is awaited. */
  readonly answer: Answer | null;
  /** What the last question failed with, or `null`. */
  readonly failure: unknown;
}

/** Asks when the component appears and whenever an input changes; gives up when it goes. */
export function useAnswer<Answer>(
  ask: (signal: AbortSignal) => Promise<Answer>,
  inputs: readonly unknown[],
): Answered<Answer> {
  const [answered, setAnswered] = useState<Answered<Answer>>({ answer: null, failure: null });
  useEffect(() => {
    const stop = new AbortController();
    ask(stop.signal).then(
      (answer) => {
        if (!stop.signal.aborted) setAnswered({ answer, failure: null });
      },
      (failure: unknown) => {
        if (!stop.signal.aborted) setAnswered((before) => ({ ...before, failure }));
      },
    );
    return () => stop.abort();
  }, inputs);
  return answered;
}
