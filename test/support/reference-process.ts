/** Child process of `reference.ts`. node-llama-cpp carries its own libllama, which must not meet ours in one process. */
import { getLlama, LlamaLogLevel, type Token } from "node-llama-cpp";
import {
  type ReferenceEmbeddings,
  type ReferenceQuestion,
  referenceEmbeddingsSchema,
  referenceQuestionSchema,
} from "./reference.js";

async function loadModel({ modelPath, threads }: { readonly modelPath: string; readonly threads: number }) {
  const llama = await getLlama({ gpu: false, build: "never", logLevel: LlamaLogLevel.error, maxThreads: threads });
  return llama.loadModel({ modelPath });
}

async function answer(question: ReferenceQuestion): Promise<{ readonly tokens: readonly number[] }> {
  const { prompt, maxTokens, contextSize, batchSize, threads } = question;
  const model = await loadModel(question);
  const context = await model.createContext({ contextSize, batchSize, threads, flashAttention: "auto" });
  const tokens: number[] = [];
  for await (const token of context.getSequence().evaluate(prompt as Token[], { temperature: 0 })) {
    tokens.push(token);
    if (tokens.length >= maxTokens || model.isEogToken(token)) break;
  }
  return { tokens };
}

async function embed(question: ReferenceEmbeddings): Promise<{ readonly embeddings: readonly (readonly number[])[] }> {
  const { texts, contextSize, threads } = question;
  const model = await loadModel(question);
  const context = await model.createEmbeddingContext({ contextSize, batchSize: contextSize, threads });
  const embeddings: (readonly number[])[] = [];
  for (const text of texts) embeddings.push((await context.getEmbeddingFor([...text] as Token[])).vector);
  return { embeddings };
}

process.once("message", async (message) => {
  const embeddings = referenceEmbeddingsSchema.safeParse(message);
  process.send?.(
    embeddings.success ? await embed(embeddings.data) : await answer(referenceQuestionSchema.parse(message)),
  );
});
