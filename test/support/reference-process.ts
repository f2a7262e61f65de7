/** Child process of `reference.ts`. node-llama-cpp carries its own libllama, which must not meet ours in one process. */
import { getLlama, LlamaLogLevel, type Token } from "node-llama-cpp";
import { referenceQuestionSchema } from "./reference.js";

process.once("message", async (message) => {
  const { modelPath, prompt, maxTokens, contextSize, batchSize, threads } = referenceQuestionSchema.parse(message);
  const llama = await getLlama({ gpu: false, build: "never", logLevel: LlamaLogLevel.error, maxThreads: threads });
  const model = await llama.loadModel({ modelPath });
  const context = await model.createContext({ contextSize, batchSize, threads, flashAttention: "auto" });
  const tokens: number[] = [];
  for await (const token of context.getSequence().evaluate(prompt as Token[], { temperature: 0 })) {
    tokens.push(token);
    if (tokens.length >= maxTokens || model.isEogToken(token)) break;
  }
  process.send?.({ tokens });
});
