/** Child process of `node-llama-cpp.ts`: that package carries its own libllama, which must not meet ours in one process. */
import { getLlama, LlamaLogLevel, type Token } from "node-llama-cpp";
import { questionSchema } from "./node-llama-cpp.js";

let opened: ReturnType<typeof open> | null = null;

async function open(modelPath: string, contextSize: number) {
  const llama = await getLlama({ gpu: false, build: "never", logLevel: LlamaLogLevel.error, maxThreads: 1 });
  const model = await llama.loadModel({ modelPath });
  const context = await model.createContext({ contextSize, batchSize: 512, threads: 1, flashAttention: true });
  const text = (content: string) => model.tokenize(content, false);
  return { sequence: context.getSequence(), text };
}

/** Milliseconds from the prompt to its first token, and from that to the last one. */
async function measure(question: ReturnType<typeof questionSchema.parse>) {
  opened ??= open(question.modelPath, question.contextSize);
  const { sequence, text } = await opened;
  await sequence.clearHistory();
  const story: Token[] = text(question.text);
  const prompt = Array.from(
    { length: question.promptTokens },
    (_, index) => story[(question.offset + index) % story.length],
  ).filter((token) => token !== undefined);
  const begun = performance.now();
  let first = begun;
  let count = 0;
  for await (const _ of sequence.evaluate(prompt, { temperature: 0, yieldEogToken: true })) {
    if (count === 0) first = performance.now();
    count += 1;
    if (count > question.tokens) break;
  }
  return { promptMs: first - begun, decodeMs: performance.now() - first, decoded: count - 1 };
}

process.on("message", async (message) => {
  try {
    process.send?.({ answer: await measure(questionSchema.parse(message)) });
  } catch (thrown) {
    process.send?.({ failure: thrown instanceof Error ? thrown.message : String(thrown) });
  }
});
