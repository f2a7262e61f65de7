import type { FastifyInstance, FastifyRequest } from "fastify";
import { HttpError } from "../../http-error.js";
import { parseJsonBody } from "../../json-body.js";
import { ollamaAnswerRoutes } from "./answers.js";
import { ollamaEmbeddingRoutes } from "./embeddings.js";
import { ollamaLibraryRoutes } from "./library.js";
import { ollamaModelRoutes } from "./models.js";
import type { OllamaPorts } from "./ports.js";

/** Ollama's API. */
export function ollamaRoutes(app: FastifyInstance, ports: OllamaPorts): void {
  // `curl -d` calls its data a form, and everybody's examples for Ollama do so.
  app.addContentTypeParser("*", { parseAs: "buffer" }, async (request: FastifyRequest, body: Buffer) => {
    refuseOtherPages(request);
    return parseJsonBody(body);
  });
  ollamaAnswerRoutes(app, ports);
  ollamaEmbeddingRoutes(app, ports);
  ollamaModelRoutes(app, ports);
  ollamaLibraryRoutes(app, ports);
}

/** Without asking first, a browser lets a page of another origin send forms and text here, but never JSON. */
function refuseOtherPages({ headers }: FastifyRequest): void {
  if (headers.origin === undefined) return;
  throw new HttpError(
    "unsupported_media_type",
    "From a web page the request body must be sent with the header `Content-Type: application/json`.",
  );
}
