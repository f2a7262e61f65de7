import { setImmediate as nextTurn } from "node:timers/promises";
import { ExoError } from "../../core/errors.js";
import type { Stage } from "../../native/stage.js";

/** Models of one family pad their vocabularies differently; llama.cpp allows as much. */
const MOST_DIFFERENCE = 128;
/** The first ids are unknown, begin and end tokens, whose texts may differ; llama.cpp begins here, too. */
const FIRST_COMPARED = 5;
/** Tokens compared before others get a turn. */
const AT_ONCE = 4096;

type Vocabulary = Pick<Stage, "info" | "tokenizer">;

/** A draft is token ids, so they must mean the same to both models. Rejects with what differs. */
export async function checkSameVocabulary(target: Vocabulary, draft: Vocabulary): Promise<void> {
  const [ours, theirs] = [target.info, draft.info];
  if (Math.abs(ours.vocabularySize - theirs.vocabularySize) > MOST_DIFFERENCE) {
    throw refusal(`it has ${theirs.vocabularySize} tokens, the model ${ours.vocabularySize}`);
  }
  if (ours.addBos !== theirs.addBos || (ours.addBos && ours.bosToken !== theirs.bosToken)) {
    throw refusal("texts begin with another token");
  }
  if (ours.eosToken !== theirs.eosToken) throw refusal("texts end with another token");
  const size = Math.min(ours.vocabularySize, theirs.vocabularySize);
  for (let token = FIRST_COMPARED; token < size; token += 1) {
    if (token % AT_ONCE === 0) await nextTurn();
    if (!sameBytes(bytesOf(target, token), bytesOf(draft, token))) {
      throw refusal(`token ${token} is another text there`);
    }
  }
}

function bytesOf({ tokenizer }: Vocabulary, token: number): Uint8Array {
  return tokenizer.decodeBytes([token], { renderSpecial: true });
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index]);
}

function refusal(what: string): ExoError {
  return new ExoError(
    "invalid_argument",
    `The draft model has another vocabulary than the model: ${what}. Choose a small model of the same family for --draft-model.`,
    { param: "--draft-model" },
  );
}
