import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { grammarPattern, isRegExp } from "../../src/native/schema/pattern.js";

/** Grammars take the same signs as regular expressions here, so a translation can be tried as one. */
function fits(pattern: string, text: string): boolean {
  const written = grammarPattern(pattern);
  assert.ok(written !== null, pattern);
  return new RegExp(written.replaceAll(/\\U([0-9A-F]{8})/g, "\\u{$1}"), "u").test(text);
}

describe("patterns for grammars", () => {
  test("plain ones stay as they are", () => {
    for (const pattern of ["^[A-Z]{2}$", "^(yes|no)$", "^a+b*$", "^$"]) assert.equal(grammarPattern(pattern), pattern);
  });

  test("what they take, the pattern takes", () => {
    const cases: readonly (readonly [string, string, boolean])[] = [
      ["^\\d{5}$", "12345", true],
      ["^\\d{5}$", "1234", false],
      ["^[\\w.-]+@\\w+\\.com$", "a.b@c.com", true],
      ["^[\\w.-]+@\\w+\\.com$", "a.b@cxcom", false],
      ["foo", "a foo b", true],
      ["^foo", "foo b", true],
      ["foo$", "a foo", true],
      ["^a\\.+$", "a..", true],
      ["^a\\.+$", "a.a.", false],
      ["^ab{2}?$", "abb", true],
      ["^ab{2}?$", "a", false],
      ["^(?<year>\\d+)-x$", "12-x", true],
      ["^[^a]$", "b", true],
      ["^😀$", "😀", true],
    ];
    for (const [pattern, text, expected] of cases) {
      assert.equal(fits(pattern, text), expected, `${pattern} of ${text}`);
      if (expected) assert.match(text, new RegExp(pattern, "u"));
    }
  });

  test("none of them leads out of the JSON string", () => {
    for (const pattern of ["^.*$", "^[^a]*$", "^[ -~]*$", "x", "^\\D*$", "^\\S*$"]) {
      for (const text of ['x"x', "x\\x", "x\nx"]) assert.equal(fits(pattern, text), false, `${pattern} of ${text}`);
    }
  });

  test("what no grammar can say is told", () => {
    for (const pattern of ["^(?=a)b$", "^(a)\\1$", "\\bword\\b", '^"$', "^\\p{L}+$", "a^b", "^a{5000}$", "^\\n$"]) {
      assert.ok(isRegExp(pattern), pattern);
      assert.equal(grammarPattern(pattern), null, pattern);
    }
    assert.equal(isRegExp("(["), false);
  });
});
