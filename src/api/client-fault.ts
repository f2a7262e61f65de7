import { STATUS_CODES } from "node:http";
import type { Socket } from "node:net";
import { toErrorResponse } from "./error-response.js";
import { HttpError } from "./http-error.js";

/** Answers bytes that are no HTTP request, or a request that took too long to arrive, and closes the connection. */
export function answerClientFault(error: Error, socket: Socket): void {
  if (!socket.writable || socket.destroyed) return;
  const { status, body } = toErrorResponse(fault(error), "");
  const text = JSON.stringify(body);
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    "content-type: application/json; charset=utf-8",
    `content-length: ${Buffer.byteLength(text)}`,
    "connection: close",
  ];
  socket.end(`${head.join("\r\n")}\r\n\r\n${text}`);
}

function fault(error: Error): HttpError {
  const code: unknown = Reflect.get(error, "code");
  if (code === "ERR_HTTP_REQUEST_TIMEOUT") {
    return new HttpError("request_timeout", "The request took too long to arrive; send it whole and at once.");
  }
  if (code === "HPE_HEADER_OVERFLOW") {
    return new HttpError(
      "headers_too_large",
      "The address and headers of the request are larger than the 16 KiB allowed.",
    );
  }
  return new HttpError("malformed_request", "The request cannot be read: it is not HTTP/1.1.");
}
