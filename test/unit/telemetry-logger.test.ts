import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ExoError } from "../../src/core/errors.js";
import type { Logger } from "../../src/core/ports.js";
import { createLogger, type LoggerSettings } from "../../src/telemetry/logger.js";

function logged(settings: Partial<LoggerSettings>, write: (logger: Logger) => void): string {
  let text = "";
  const destination = {
    write: (line: string) => {
      text += line;
    },
  };
  write(createLogger({ level: "info", format: "auto", isTerminal: false, env: {}, destination, ...settings }));
  return text;
}

describe("logger", () => {
  test("JSON lines where there is no terminal", () => {
    const line = logged({}, (logger) => logger.child({ node: "a" }).info({ tokens: 3 }, "ready"));
    const { time, ...fields } = JSON.parse(line) as Record<string, unknown>;
    assert.equal(typeof time, "number");
    assert.deepEqual(fields, { level: "info", node: "a", tokens: 3, msg: "ready" });
  });

  test("pretty and coloured on a terminal, without colour when NO_COLOR is set", () => {
    const write = (logger: Logger): void => logger.warn({ peer: "b" }, "lost");
    const coloured = logged({ isTerminal: true }, write);
    const plain = logged({ isTerminal: true, env: { NO_COLOR: "1" } }, write);
    const colourCode = "\u001b[";
    assert.ok(coloured.includes(colourCode));
    assert.ok(!plain.includes(colourCode));
    assert.match(plain, /WARN.*lost.*"peer":"b"/);
    assert.ok(logged({ isTerminal: true, env: { NO_COLOR: "" } }, write).includes(colourCode));
  });

  test("the format can be chosen", () => {
    const write = (logger: Logger): void => logger.info({}, "ready");
    assert.match(logged({ format: "json", isTerminal: true }, write), /^\{/);
    assert.doesNotMatch(logged({ format: "pretty" }, write), /^\{/);
  });

  test("lines below the level are dropped", () => {
    assert.equal(
      logged({ level: "error" }, (logger) => logger.warn({}, "x")),
      "",
    );
    assert.equal(
      logged({ level: "silent" }, (logger) => logger.error({}, "x")),
      "",
    );
  });

  test("secrets and people's text never come out", () => {
    const line = logged({}, (logger) =>
      logger.info(
        { prompt: "hush", apiKey: "hush", request: { messages: ["hush"], authorization: "hush" } },
        "request",
      ),
    );
    assert.doesNotMatch(line, /hush/);
  });

  test("a foreseen error is its code and sentence, a fault brings its stack", () => {
    const foreseen = logged({}, (logger) => logger.error({ err: new ExoError("disk_full", "Full.") }, "x"));
    assert.deepEqual((JSON.parse(foreseen) as { err: unknown }).err, { code: "disk_full", message: "Full." });
    assert.match(
      logged({}, (logger) => logger.error({ err: new Error("fault") }, "x")),
      /"stack"/,
    );
  });
});
