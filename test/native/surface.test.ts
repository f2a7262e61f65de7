import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { packageRoot } from "../../src/core/package.js";
import { loadBindings } from "../../src/native/load.js";

const BINDINGS = join(packageRoot(), "native", "bindings");

/** `name(…): …` of every function in the interface, in order, on one line each. */
function declaredSignatures(): string[] {
  const source = readFileSync(join(packageRoot(), "src", "native", "bindings.ts"), "utf8");
  const [, body = ""] = /export interface NativeBindings \{\n(.*?)\n\}/s.exec(source) ?? [];
  const bare = body.replaceAll(/\/\*\*.*?\*\//gs, "");
  return bare
    .split(";\n")
    .map((part) => normalized(part.replace(/;$/, "")))
    .filter((part) => part !== "");
}

const normalized = (signature: string): string =>
  signature.replaceAll(/\s+/g, " ").replaceAll(/\( /g, "(").replaceAll(/,? \)/g, ")").trim();

/** The comment above each export in C++. */
function commentedSignatures(): Set<string> {
  const signatures = new Set<string>();
  for (const file of readdirSync(BINDINGS).filter((name) => name.endsWith("_exports.cpp"))) {
    const source = readFileSync(join(BINDINGS, file), "utf8");
    for (const [, comment = ""] of source.matchAll(/^\/\/ (\w+\(.*)\nNapi::Value \w+\(const/gm)) {
      signatures.add(normalized(comment));
    }
  }
  return signatures;
}

const nameOf = (signature: string): string => signature.slice(0, signature.indexOf("("));

test("the addon exports what bindings.ts declares, in its order", () => {
  assert.deepEqual(Object.keys(loadBindings()), declaredSignatures().map(nameOf));
});

test("each C++ export stands below its TypeScript signature", () => {
  const commented = commentedSignatures();
  for (const signature of declaredSignatures()) {
    assert.ok(commented.has(signature), `no export has the comment "// ${signature}"`);
  }
  assert.equal(commented.size, declaredSignatures().length);
});
