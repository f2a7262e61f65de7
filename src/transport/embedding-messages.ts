import { ExoError } from "../core/errors.js";
import type { Embedding } from "../core/inference.js";
import type { EmbedEvent__Output, EmbedEvent as WireEmbedding } from "./generated/exo/v1/EmbedEvent.js";

export function toWireEmbedding({ values, promptTokens }: Embedding): WireEmbedding {
  return { values: Buffer.from(values.buffer, values.byteOffset, values.byteLength), promptTokens };
}

/** Throws `peer_incompatible` for what can be no embedding. */
export function fromWireEmbedding({ values, promptTokens }: EmbedEvent__Output, peer: string): Embedding {
  if (values.byteLength === 0 || values.byteLength % Float32Array.BYTES_PER_ELEMENT !== 0) {
    throw new ExoError("peer_incompatible", `${peer} sent an embedding of ${values.byteLength} bytes.`);
  }
  // A copy, because the bytes may begin anywhere and belong to a larger message.
  return { values: new Float32Array(Uint8Array.from(values).buffer), promptTokens };
}

/** Throws `peer_incompatible` unless there is one embedding for each input, all of one size. */
export function checkEmbeddings(embeddings: readonly Embedding[], inputs: number, peer: string): readonly Embedding[] {
  const sizes = new Set(embeddings.map(({ values }) => values.length));
  if (embeddings.length === inputs && sizes.size <= 1) return embeddings;
  throw new ExoError(
    "peer_incompatible",
    `${peer} sent ${embeddings.length} embeddings of ${sizes.size} sizes for ${inputs} texts.`,
  );
}
