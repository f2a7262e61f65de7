import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { z } from "zod";

/** What an unsplit, untouched llama.cpp is asked: node-llama-cpp in a process of its own, on the same ggml libraries. */
export interface ReferenceQuestion {
  readonly modelPath: string;
  readonly prompt: readonly number[];
  readonly maxTokens: number;
  readonly contextSize: number;
  readonly batchSize: number;
  readonly threads: number;
}

export const referenceQuestionSchema = z.object({
  modelPath: z.string(),
  prompt: z.array(z.int()),
  maxTokens: z.int(),
  contextSize: z.int(),
  batchSize: z.int(),
  threads: z.int(),
});

const answerSchema = z.object({ tokens: z.array(z.int()) });

/** The greedy continuation of the prompt, up to the end of generation. */
export async function referenceTokens(question: ReferenceQuestion): Promise<readonly number[]> {
  const child = fork(fileURLToPath(new URL("./reference-process.js", import.meta.url)), { stdio: "inherit" });
  try {
    return await new Promise((resolve, reject) => {
      child.once("message", (message) => resolve(answerSchema.parse(message).tokens));
      child.once("exit", (code) => reject(new Error(`the reference process ended with ${code}`)));
      child.send(question);
    });
  } finally {
    child.kill();
  }
}
