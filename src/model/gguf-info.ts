/** What a GGUF file says about itself, as far as placing and running it needs. Sizes in bytes. */
export interface GgufInfo {
  readonly architecture: string;
  /** `general.name`, or `null`. */
  readonly name: string | null;
  readonly layerCount: number;
  readonly embeddingSize: number;
  /** Tokens the model was trained for. */
  readonly contextTrained: number;
  readonly headCount: number;
  readonly vocabularySize: number;
  /** Of the weights, e.g. `Q4_K_M`, `IQ2_XXS`. */
  readonly quantisation: string;
  readonly parameterCount: number;
  readonly hasChatTemplate: boolean;
  /** Weights of each layer. */
  readonly layerBytes: readonly number[];
  /** Weights that only the stage with the embedding holds. */
  readonly embeddingBytes: number;
  /** Weights that only the output head holds; with a tied embedding the head uses `embeddingBytes` too. */
  readonly outputBytes: number;
  readonly tiedEmbedding: boolean;
  /** All weights. */
  readonly weightBytes: number;
  /** Memory of each layer per sequence. */
  readonly layerState: readonly LayerState[];
  /** Widest inner row of the feed-forward part, in elements; for the size of compute buffers. */
  readonly feedForwardSize: number;
  /** Files in order; more than one for `-00001-of-0000N` models. */
  readonly files: readonly { readonly path: string; readonly bytes: number }[];
}

/** What a layer keeps between tokens of one sequence. */
export interface LayerState {
  /** Elements per token in the K and the V cache; 0 where the layer has no attention. */
  readonly keyElements: number;
  readonly valueElements: number;
  /** Tokens that the cache holds at most (sliding window), or `null` for the whole context. */
  readonly window: number | null;
  /** Bytes per sequence whatever its length (recurrent layers). */
  readonly fixedBytes: number;
}
