import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { CASES } from "../../benchmarks/cases/catalogue.js";
import { packageRoot } from "../../src/core/package.js";

test("docs/benchmarks.md lists the cases that there are", () => {
  const text = readFileSync(join(packageRoot(), "docs", "benchmarks.md"), "utf8");
  const [, section = ""] = text.split("\n## Cases\n");
  const table = section.split("\n\n").find((part) => part.trim().startsWith("| id")) ?? "";
  const firstCells = table
    .split("\n")
    .slice(2)
    .map((row) => row.split("|")[1] ?? "");
  const listed = firstCells.flatMap((cell) => [...cell.matchAll(/`([^`]+)`/g)].map((match) => match[1] ?? ""));
  assert.deepEqual(listed.sort(), CASES.map(({ id }) => id).sort());
});
