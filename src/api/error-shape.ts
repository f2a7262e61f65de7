import { anthropicError } from "./anthropic/error.js";
import type { ErrorResponse } from "./error-response.js";
import { ollamaError } from "./ollama/error.js";

/** The body of a failed request as the API that its path belongs to has it: OpenAI's, unless it is another one's. */
export function errorBody(path: string, response: ErrorResponse, requestId: string): unknown {
  if (/^\/v1\/messages(?:$|[/?])/.test(path)) return anthropicError(response, requestId);
  return path.startsWith("/api/") ? ollamaError(response) : response.body;
}
