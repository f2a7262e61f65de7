import type { Embedding } from "../../core/inference.js";

/** OpenAI's list of embeddings, in the order of the inputs. */
export function embeddingList(model: string, embeddings: readonly Embedding[], format: "float" | "base64") {
  const tokens = embeddings.reduce((sum, { promptTokens }) => sum + promptTokens, 0);
  return {
    object: "list",
    data: embeddings.map(({ values }, index) => ({
      object: "embedding",
      index,
      embedding: format === "base64" ? base64Of(values) : numbersOf(values),
    })),
    model,
    usage: { prompt_tokens: tokens, total_tokens: tokens },
  };
}

/** As JSON numbers. */
export function numbersOf(values: Float32Array): number[] {
  return Array.from(values, shortened);
}

/** f32, little endian. */
function base64Of(values: Float32Array): string {
  return Buffer.from(values.buffer, values.byteOffset, values.byteLength).toString("base64");
}

/** Nine digits tell every f32 from its neighbours; as a double it would be written with up to seventeen. */
function shortened(value: number): number {
  return Number(value.toPrecision(9));
}
