import type { StageHandle } from "./bindings.js";
import { loadBindings } from "./load.js";
import { nativeCall } from "./native-call.js";

export interface EncodeOptions {
  /** Add the tokens the model wants around a text (BOS, EOS). Default false. */
  readonly addSpecial?: boolean;
  /** Read `<|…|>` and the like as the special tokens they name. Default false. */
  readonly parseSpecial?: boolean;
}

export interface DecodeOptions {
  /** Write special tokens as text rather than leave them out. Default false. */
  readonly renderSpecial?: boolean;
}

/** The model's own vocabulary: text ↔ token ids. */
export class Tokenizer {
  readonly #stage: StageHandle;

  constructor(stage: StageHandle) {
    this.#stage = stage;
  }

  encode(text: string, options: EncodeOptions = {}): number[] {
    const { addSpecial = false, parseSpecial = false } = options;
    return Array.from(nativeCall(() => loadBindings().tokenize(this.#stage, text, addSpecial, parseSpecial)));
  }

  /** The tokens' bytes; they may begin or end inside a UTF-8 character. */
  decodeBytes(tokens: readonly number[] | Int32Array, options: DecodeOptions = {}): Uint8Array {
    const ids = tokens instanceof Int32Array ? tokens : Int32Array.from(tokens);
    return nativeCall(() => loadBindings().detokenize(this.#stage, ids, options.renderSpecial ?? false));
  }

  /** The tokens' text; bytes that are not UTF-8 become U+FFFD. */
  decode(tokens: readonly number[] | Int32Array, options: DecodeOptions = {}): string {
    return new TextDecoder().decode(this.decodeBytes(tokens, options));
  }
}
