import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { packageRoot } from "../../src/core/package.js";

const PAGE = readFileSync(join(packageRoot(), "docs", "troubleshooting.md"), "utf8");

/** The program's text, with sentences that are cut over several lines made whole again. */
function sources(): string {
  return ["src", "native"]
    .flatMap((folder) =>
      readdirSync(join(packageRoot(), folder), { recursive: true, encoding: "utf8" })
        .filter((name) => name.endsWith(".ts"))
        .map((name) => readFileSync(join(packageRoot(), folder, name), "utf8")),
    )
    .join("\n")
    .replaceAll(/["`]\s*\+\s*["`]/g, "")
    .replaceAll('\\"', '"');
}

/** A piece shorter than this is found anywhere. */
const TELLING = 8;

describe("docs/troubleshooting.md", () => {
  const source = sources();
  const messages = PAGE.split("\n").flatMap((line) => (line.startsWith("> ") ? [line.slice(2)] : []));

  test("quotes messages that there are", () => {
    assert.ok(messages.length > 25);
    for (const message of messages) {
      const pieces = message
        .split("…")
        .map((piece) => piece.trim())
        .filter((piece) => piece.length >= TELLING);
      assert.notEqual(pieces.length, 0, message);
      for (const piece of pieces) assert.ok(source.includes(piece), `"${piece}" of: ${message}`);
    }
  });

  test("says of each message why it comes, or what to do", () => {
    const blocks = PAGE.split(/\n\n/);
    for (const [index, block] of blocks.entries()) {
      if (!block.startsWith("> ")) continue;
      const next = blocks.slice(index + 1).find((one) => !one.startsWith("> ")) ?? "";
      assert.match(next, /^\*(Why|Do):?\*/, block);
    }
  });
});
