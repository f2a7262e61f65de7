import type { FastifyInstance } from "fastify";
import type { InferenceService, TextPrompt } from "../../core/inference.js";
import { textChunks, textCompletion } from "../openai/completion-answer.js";
import { resolveModel } from "../resolve-model.js";
import { type ParsedCompletion, parseCompletion } from "../schema/completion.js";
import { refuseTooManyChoices } from "../schema/limits.js";
import { type AnswerPorts, answer } from "./answer.js";

export function completionsRoute(app: FastifyInstance, ports: AnswerPorts): void {
  app.post("/v1/completions", async (request, reply) => {
    const parsed = parseCompletion(request.body);
    refuseTooManyChoices(parsed.inputs.length, parsed.choicesPerInput);
    const echoes = parsed.echo ? await promptTexts(ports, parsed, ports.live.open(reply.raw)) : [];
    return answer(ports, reply, parsed, {
      idPrefix: "cmpl",
      whole: (context, answers) => textCompletion(context, answers, echoes),
      chunks: (context, events) => textChunks(context, events, echoes),
    });
  });
}

/** For each choice the text of its prompt. */
async function promptTexts(
  ports: AnswerPorts,
  parsed: ParsedCompletion,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const model = resolveModel(ports.models, parsed.model);
  const texts = await Promise.all(parsed.inputs.map((input) => promptText(ports.inference, model, input, signal)));
  return texts.flatMap((text) => Array.from({ length: parsed.choicesPerInput }, () => text));
}

async function promptText(
  inference: InferenceService,
  model: string,
  { prompt }: TextPrompt,
  signal: AbortSignal,
): Promise<string> {
  return typeof prompt === "string" ? prompt : inference.detokenize(model, prompt, signal);
}
