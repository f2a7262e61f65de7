import type { FastifyInstance } from "fastify";
import { ExoError } from "../../core/errors.js";
import { HttpError } from "../http-error.js";
import { ResponseAnswer } from "../openai/responses/answer.js";
import { resolveModel } from "../resolve-model.js";
import { parseResponses } from "../schema/responses.js";
import { namedEvents } from "../stream-format.js";
import { type AnswerPorts, answer } from "./answer.js";

/** OpenAI's responses, without memory: each request brings its whole conversation. */
export function responsesRoutes(app: FastifyInstance, ports: AnswerPorts): void {
  app.post("/v1/responses", async (request, reply) => {
    const parsed = parseResponses(request.body);
    const response = new ResponseAnswer(parsed.echo, () => Math.floor(ports.clock.wall() / 1000));
    return inOurNames(
      answer(ports, reply, parsed, {
        idPrefix: "resp",
        format: namedEvents((error) => response.failure(error)),
        whole: (context, answers) => response.document(context, answers),
        chunks: (context, events) => response.events(context, events),
      }),
    );
  });

  app.post("/v1/responses/input_tokens", async (request, reply) => {
    const signal = ports.live.open(reply.raw);
    const { model: name, inputs } = parseResponses(request.body);
    const model = resolveModel(ports.models, name);
    const text = await inOurNames(ports.inference.applyTemplate(model, inputs[0], signal));
    const tokens = await ports.inference.tokenize({ model, text, addSpecial: true, parseSpecial: true }, signal);
    return { object: "response.input_tokens", input_tokens: tokens.length };
  });

  app.route({
    method: ["GET", "POST", "DELETE"],
    url: "/v1/responses/*",
    handler: () => {
      const message = "Responses are not kept here; keep the answer, and send the whole conversation as input.";
      throw new HttpError("route_not_found", message);
    },
  });
}

const NAMES: ReadonlyMap<string, string> = new Map([
  ["messages", "input"],
  ["response_format", "text.format"],
]);

/** Faults that are found further in are told by the fields of chat; here those have other names. */
async function inOurNames<Value>(answered: Promise<Value>): Promise<Value> {
  try {
    return await answered;
  } catch (thrown) {
    const param = thrown instanceof ExoError ? NAMES.get(thrown.param ?? "") : undefined;
    if (!(thrown instanceof ExoError) || param === undefined) throw thrown;
    throw new ExoError(thrown.code, thrown.message, { cause: thrown, param });
  }
}
