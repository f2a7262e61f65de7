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

/** Texts as token ids; the answer is what llama.cpp's own pooling gives, as the model's file wants it. */
export interface ReferenceEmbeddings {
  readonly modelPath: string;
  readonly texts: readonly (readonly number[])[];
  readonly contextSize: number;
  readonly threads: number;
}

export const referenceEmbeddingsSchema = z.object({
  modelPath: z.string(),
  texts: z.array(z.array(z.int())),
  contextSize: z.int(),
  threads: z.int(),
});

export const referenceQuestionSchema = z.object({
  modelPath: z.string(),
  prompt: z.array(z.int()),
  maxTokens: z.int(),
  contextSize: z.int(),
  batchSize: z.int(),
  threads: z.int(),
});

const answerSchema = z.object({ tokens: z.array(z.int()) });
const embeddingsSchema = z.object({ embeddings: z.array(z.array(z.number())) });

/** The greedy continuation of the prompt, up to the end of generation. */
export async function referenceTokens(question: ReferenceQuestion): Promise<readonly number[]> {
  return answerSchema.parse(await ask(question)).tokens;
}

/** Embeddings as they are, not brought to a length. */
export async function referenceEmbeddings(question: ReferenceEmbeddings): Promise<readonly (readonly number[])[]> {
  return embeddingsSchema.parse(await ask(question)).embeddings;
}

async function ask(question: ReferenceQuestion | ReferenceEmbeddings): Promise<unknown> {
  const child = fork(fileURLToPath(new URL("./reference-process.js", import.meta.url)), { stdio: "inherit" });
  try {
    return await new Promise((resolve, reject) => {
      child.once("message", resolve);
      child.once("exit", (code) => reject(new Error(`the reference process ended with ${code}`)));
      child.send(question);
    });
  } finally {
    child.kill();
  }
}
