import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { ERROR_MEANINGS, toErrorResponse } from "../../src/api/error-response.js";
import { HTTP_ERRORS, HttpError, type HttpErrorCode } from "../../src/api/http-error.js";
import { ERROR_CODES, ExoError, isErrorCode } from "../../src/core/errors.js";

const page = readFileSync(new URL("../../../docs/errors.md", import.meta.url), "utf8");

/** The cells of a table's rows whose first cell is a code, under the given heading. */
function rowsUnder(heading: string): readonly (readonly string[])[] {
  const section = page.split(/^## /m).find((part) => part.startsWith(heading)) ?? "";
  const rows = section.split("\n").filter((line) => line.startsWith("| `"));
  return rows.map((row) =>
    row
      .split("|")
      .map((cell) => cell.trim().replaceAll("`", ""))
      .slice(1, -1),
  );
}

function retryCell(code: string): string {
  if (!isErrorCode(code)) return "unknown code";
  const { retryAfterSeconds } = ERROR_MEANINGS[code];
  if (retryAfterSeconds !== undefined) return `after ${retryAfterSeconds} s`;
  return new ExoError(code, "x").retryable ? "yes" : "no";
}

describe("the table of errors", () => {
  test("is the same in the code and in docs/errors.md, in the same order", () => {
    const documented = rowsUnder("Codes").map(([code, status, type, retry]) => [code, status, type, retry]);
    const known = Object.entries(ERROR_MEANINGS).map(([code, { status, type }]) => [
      code,
      `${status}`,
      type,
      retryCell(code),
    ]);
    assert.deepEqual(documented, known);
    assert.deepEqual(
      known.map(([code]) => code),
      Object.keys(ERROR_CODES),
    );
  });

  test("lists what can be wrong with an HTTP request", () => {
    const documented = rowsUnder("HTTP requests").map(([code, status]) => `${code} ${status}`);
    const known = Object.entries(HTTP_ERRORS).map(([code, { status }]) => `${code} ${status}`);
    assert.deepEqual(documented.sort(), known.sort());
  });

  test("shares no code between the two lists, and says why in every row", () => {
    const shared = Object.keys(HTTP_ERRORS).filter(isErrorCode);
    assert.deepEqual(shared, []);
    for (const row of [...rowsUnder("Codes"), ...rowsUnder("HTTP requests")]) assert.match(row.at(-1) ?? "", /\.$/);
  });
});

describe("an error response", () => {
  test("has OpenAI's shape for every code", () => {
    for (const code of Object.keys(ERROR_CODES).filter(isErrorCode)) {
      const { status, headers, body } = toErrorResponse(new ExoError(code, "A sentence.", { param: "x" }), "r");
      assert.equal(status, ERROR_MEANINGS[code].status);
      assert.deepEqual(Object.keys(body.error), ["message", "type", "param", "code"]);
      assert.deepEqual([body.error.message, body.error.param, body.error.code], ["A sentence.", "x", code]);
      assert.ok(headers["x-should-retry"]);
    }
    for (const code of Object.keys(HTTP_ERRORS)) {
      const { status, body } = toErrorResponse(new HttpError(code as HttpErrorCode, "A sentence."), "r");
      assert.ok(status >= 400 && status < 500);
      assert.equal(body.error.code, code);
    }
  });

  test("keeps the sentence of a native error and hides that of an unknown one", () => {
    const native = Object.assign(new Error("The device CUDA0 has not enough memory."), { code: "out_of_memory" });
    assert.equal(toErrorResponse(native, "r").body.error.message, "The device CUDA0 has not enough memory.");
    const unknown = toErrorResponse(new TypeError("cannot read /home/me"), "req42").body.error;
    assert.match(unknown.message, /request req42\.$/);
    assert.equal(unknown.code, "internal");
    assert.equal(toErrorResponse("a string", "r").status, 500);
  });
});
