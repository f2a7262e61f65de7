import { z } from "zod";
import { wholeOf } from "../parity/streamed.js";
import type { StructuredCase } from "./cases.js";

const answerSchema = z.object({ choices: z.array(z.unknown()).length(1) });

/** What was wrong with each case that failed; the cases are asked `atOnce` at a time, every third one streamed. */
export async function runCases(
  url: string,
  cases: readonly StructuredCase[],
  atOnce: number,
  onDone: (one: StructuredCase) => void = () => {},
): Promise<readonly string[]> {
  const waiting = cases.entries();
  const wrong: string[] = [];
  const take = async (): Promise<void> => {
    for (const [index, one] of waiting) {
      const fault = await runCase(url, one, index % 3 === 2);
      if (fault !== null) wrong.push(`${one.name}: ${fault}`);
      onDone(one);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, take));
  return wrong;
}

async function runCase(url: string, { body, check }: StructuredCase, stream: boolean): Promise<string | null> {
  const path = "/v1/chat/completions";
  const usage = stream ? { stream_options: { include_usage: true } } : {};
  const response = await fetch(url + path, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ ...body, stream, ...usage }),
  });
  const text = await response.text();
  try {
    const answer = answerSchema.parse(stream ? wholeOf(path, text) : JSON.parse(text));
    check(answer.choices[0]);
    return null;
  } catch (thrown) {
    return `${thrown instanceof Error ? thrown.message : String(thrown)} in ${text.slice(0, 500)}`;
  }
}
