import type { FastifyInstance } from "fastify";
import { z } from "zod";
import { ExoError } from "../../../core/errors.js";
import { OLLAMA_STREAM } from "../../ollama/answer-lines.js";
import { nameFields, nameOf, plainName } from "../../ollama/names.js";
import { pullLines } from "../../ollama/pull-lines.js";
import { parseBody } from "../../schema/parse-body.js";
import { streamAnswer } from "../../stream-answer.js";
import type { OllamaPorts } from "./ports.js";

const nameSchema = z.object(nameFields);
const pullSchema = z.object({ ...nameFields, stream: z.boolean().nullish() });

/** Fetching and removing models on the disk of the node that is asked. */
export function ollamaLibraryRoutes(app: FastifyInstance, { library, live, sse }: OllamaPorts): void {
  app.post("/api/pull", async (request, reply) => {
    const parsed = parseBody(pullSchema, request.body);
    const name = plainName(nameOf(parsed, request.body));
    const signal = live.open(reply.raw);
    if (parsed.stream === false) {
      await library.resolve(name, { signal, onProgress: () => {} });
      return { status: "success" };
    }
    await streamAnswer(reply, pullLines(library, name, signal), OLLAMA_STREAM, sse);
    return reply;
  });

  app.delete("/api/delete", async (request, reply) => {
    await library.remove(plainName(nameOf(parseBody(nameSchema, request.body), request.body)));
    return reply.send();
  });

  for (const { url, method, sentence } of REFUSED) {
    app.route({
      url,
      method: [...method],
      // Before the body: nobody waits for a model to be sent here.
      onRequest: async () => {
        throw new ExoError("unsupported", sentence);
      },
      handler: () => {},
    });
  }
}

const OWN_FILES = "A node runs GGUF files as they are; give it one with `exo-native serve <path>`.";

const REFUSED: readonly { readonly url: string; readonly method: readonly string[]; readonly sentence: string }[] = [
  { url: "/api/create", method: ["POST"], sentence: `Models cannot be made here. ${OWN_FILES}` },
  { url: "/api/blobs/:digest", method: ["HEAD", "POST"], sentence: `Files cannot be uploaded here. ${OWN_FILES}` },
  { url: "/api/copy", method: ["POST"], sentence: "Models cannot be copied here; each has the name of its file." },
  { url: "/api/push", method: ["POST"], sentence: "Models cannot be published from here; use the hub's own tools." },
];
