import assert from "node:assert/strict";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { ExoError } from "../../src/core/errors.js";
import { applyRules } from "../../vendor/rules/apply.js";
import { RULE_SET } from "../../vendor/rules/index.js";
import { applyRule, type Rule } from "../../vendor/rules/rule.js";

describe("a transformation rule", () => {
  const rule: Rule = { name: "double it", file: "src/a.cpp", find: "one", replace: "two" };

  test("replaces what it finds", () => {
    assert.equal(applyRule(rule, "one step"), "two step");
  });

  test("takes the replacement of a text literally", () => {
    assert.equal(applyRule({ ...rule, replace: "$& $1" }, "one"), "$& $1");
  });

  test("puts groups of a regular expression into the replacement", () => {
    const loop: Rule = { ...rule, find: /for \((\w+)\)/, replace: "while ($1)", count: 2 };
    assert.equal(applyRule(loop, "for (a) for (b)"), "while (a) while (b)");
  });

  for (const [text, found] of [
    ["nothing", 0],
    ["one and one", 2],
  ] as const) {
    test(`that finds ${found} places instead of 1 names itself, the file and both numbers`, () => {
      assert.throws(
        () => applyRule(rule, text),
        (error) =>
          error instanceof ExoError &&
          /"double it" expects 1 place in src\/a\.cpp/.test(error.message) &&
          error.message.includes(`finds ${found}`),
      );
    });
  }
});

describe("a set of rules", () => {
  let tree: string;

  before(async () => {
    tree = await mkdtemp(join(tmpdir(), "exo-rules-"));
    await mkdir(join(tree, "src"));
  });
  after(async () => {
    await rm(tree, { recursive: true });
  });

  test("writes nothing when one of its rules misses", async () => {
    await writeFile(join(tree, "src", "a.cpp"), "one");
    const rules: Rule[] = [
      { name: "first", file: "src/a.cpp", find: "one", replace: "two" },
      { name: "second", file: "src/a.cpp", find: "three", replace: "four" },
    ];
    await assert.rejects(applyRules(tree, { rules, inventories: {} }), /"second" expects 1 place in src\/a\.cpp/);
    assert.equal(await readFile(join(tree, "src", "a.cpp"), "utf8"), "one");
  });

  test("applies rules of one file one after the other", async () => {
    await writeFile(join(tree, "src", "a.cpp"), "one");
    const rules: Rule[] = [
      { name: "first", file: "src/a.cpp", find: "one", replace: "two" },
      { name: "second", file: "src/a.cpp", find: "two", replace: "three" },
    ];
    await applyRules(tree, { rules, inventories: {} });
    assert.equal(await readFile(join(tree, "src", "a.cpp"), "utf8"), "three");
  });

  test("names a file that is gone", async () => {
    const rules: Rule[] = [{ name: "lost", file: "src/gone.cpp", find: "one", replace: "two" }];
    await assert.rejects(applyRules(tree, { rules, inventories: {} }), /"lost" needs src\/gone\.cpp/);
  });

  test("names files that a release has added or dropped", async () => {
    await writeFile(join(tree, "src", "a.cpp"), "one");
    await assert.rejects(
      applyRules(tree, { rules: [], inventories: { src: ["b.cpp"] } }),
      /src of llama\.cpp is not the one.*; new: a\.cpp; gone: b\.cpp/,
    );
  });
});

test("our rules have names of their own", () => {
  const names = RULE_SET.rules.map((rule) => rule.name);
  assert.deepEqual(names, [...new Set(names)]);
});
