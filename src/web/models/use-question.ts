import { useEffect, useState } from "preact/hooks";
import type { PlacementWishes } from "../api/planning-documents.js";
import { sentenceOf } from "../api/server-error.js";

/** Short enough to feel live, long enough not to ask for every step of a moved slider. Milliseconds. */
const DEBOUNCE = 250;

export interface Asked<Answer> {
  /** The last one that came, also while the next is awaited. */
  readonly answer: Answer | null;
  /** Why the last question got none, in a sentence. */
  readonly failure: string | null;
  readonly isAsking: boolean;
}

type Ask<Answer> = (model: string, wishes: PlacementWishes, signal: AbortSignal) => Promise<Answer>;

/** Asks again whenever the question changes, a moment later; the question before is given up. `null` asks nothing. */
export function useQuestion<Answer>(model: string, wishes: PlacementWishes | null, ask: Ask<Answer>): Asked<Answer> {
  const [asked, setAsked] = useState<Asked<Answer>>({ answer: null, failure: null, isAsking: wishes !== null });
  const key = JSON.stringify([model, wishes]);
  useEffect(() => {
    if (wishes === null) {
      setAsked({ answer: null, failure: null, isAsking: false });
      return;
    }
    const stop = new AbortController();
    setAsked((before) => ({ ...before, isAsking: true }));
    const timer = setTimeout(async () => {
      const next = await settled(ask(model, wishes, stop.signal));
      if (!stop.signal.aborted) setAsked((before) => ({ ...next, answer: next.answer ?? before.answer }));
    }, DEBOUNCE);
    return () => {
      clearTimeout(timer);
      stop.abort();
    };
  }, [key]);
  return asked;
}

async function settled<Answer>(promise: Promise<Answer>): Promise<Asked<Answer>> {
  try {
    return { answer: await promise, failure: null, isAsking: false };
  } catch (thrown) {
    return { answer: null, failure: sentenceOf(thrown), isAsking: false };
  }
}
