import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { TextAssembler } from "../../src/runtime/text-assembler.js";

const encoder = new TextEncoder();

/** Feeds text in pieces of bytes, as tokens would bring it; stops feeding when a stop string was completed. */
function assemble(
  text: string,
  cuts: readonly number[],
  stops: readonly string[],
): { shown: string[]; stopped: boolean } {
  const bytes = encoder.encode(text);
  const assembler = new TextAssembler(stops);
  const shown: string[] = [];
  let at = 0;
  for (const cut of [...cuts, bytes.length]) {
    const end = Math.min(bytes.length, Math.max(at, cut));
    shown.push(assembler.push(bytes.subarray(at, end)));
    at = end;
    if (assembler.stopped) return { shown, stopped: true };
  }
  shown.push(assembler.finish());
  return { shown, stopped: assembler.stopped };
}

const cuts = fc.array(fc.nat(60)).map((numbers) => numbers.sort((a, b) => a - b));

describe("TextAssembler", () => {
  test("shows exactly the text, however its bytes are cut", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme", maxLength: 30 }), cuts, (text, at) => {
        assert.equal(assemble(text, at, []).shown.join(""), text);
      }),
    );
  });

  test("ends before the first stop string, wherever the pieces are cut", () => {
    const letters = fc.string({ unit: fc.constantFrom("a", "b", "é"), maxLength: 40 });
    const stop = fc.string({ unit: fc.constantFrom("a", "b", "é"), minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(letters, fc.array(stop, { minLength: 1, maxLength: 3 }), cuts, (text, stops, at) => {
        const { shown, stopped } = assemble(text, at, stops);
        const found = stops.map((word) => text.indexOf(word)).filter((index) => index >= 0);
        assert.equal(stopped, found.length > 0);
        // With several stop strings the one completed first wins, which may begin later than another one.
        const answer = shown.join("");
        assert.ok(text.startsWith(answer));
        assert.ok(stops.every((word) => !answer.includes(word)));
        if (found.length === 0) assert.equal(answer, text);
      }),
    );
  });

  test("never shows the beginning of a stop string that is completed later", () => {
    const assembler = new TextAssembler(["</end>"]);
    assert.equal(assembler.push(encoder.encode("fine </en")), "fine ");
    assert.equal(assembler.push(encoder.encode("d> more")), "");
    assert.equal(assembler.stopped, true);
    assert.equal(assembler.finish(), "");
  });

  test("shows what it held back when the stop string does not come", () => {
    const assembler = new TextAssembler(["</end>"]);
    assert.equal(assembler.push(encoder.encode("a </en")), "a ");
    assert.equal(assembler.push(encoder.encode("try")), "</entry");
    assert.equal(assembler.finish(), "");
  });

  test("turns an incomplete character at the end into U+FFFD", () => {
    const assembler = new TextAssembler([]);
    assert.equal(assembler.push(Uint8Array.of(0x61, 0xc3)), "a");
    assert.equal(assembler.finish(), "\u{fffd}");
  });

  test("tells which stop string came first", () => {
    const assembler = new TextAssembler(["later", "now"]);
    assembler.push(encoder.encode("not n"));
    assert.equal(assembler.stoppedBy, null);
    assembler.push(encoder.encode("ow, later"));
    assert.equal(assembler.stoppedBy, "now");
  });

  test("ignores empty stop strings", () => {
    assert.equal(assemble("text", [2], [""]).shown.join(""), "text");
  });
});
