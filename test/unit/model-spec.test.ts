import assert from "node:assert/strict";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { describe, test } from "node:test";
import { CATALOGUE, catalogueEntry } from "../../src/model/catalogue.js";
import { fileNameOf, formatModelSpec, modelIdOf, parseModelSpec } from "../../src/model/spec.js";

describe("model specs", () => {
  test("paths", () => {
    assert.deepEqual(parseModelSpec("models/a.gguf"), { kind: "path", path: resolve("models/a.gguf") });
    assert.deepEqual(parseModelSpec("a.GGUF"), { kind: "path", path: resolve("a.GGUF") });
    assert.deepEqual(parseModelSpec("~/a.gguf"), { kind: "path", path: join(homedir(), "a.gguf") });
    assert.deepEqual(parseModelSpec("./model"), { kind: "path", path: resolve("model") });
  });

  test("URLs", () => {
    const spec = parseModelSpec("https://example.org/m/Some%20Model-Q4.gguf?x=1#part");
    assert.equal(formatModelSpec(spec), "https://example.org/m/Some%20Model-Q4.gguf?x=1");
    assert.equal(fileNameOf(spec), "Some-Model-Q4.gguf");
    assert.equal(modelIdOf(spec), "Some-Model-Q4");
    assert.equal(fileNameOf(parseModelSpec("https://example.org/%ZZ.gguf")), "-ZZ.gguf");
    assert.equal(fileNameOf(parseModelSpec("https://example.org/")), "model.gguf");
  });

  test("files in npm packages, joined", () => {
    const text = "npm:@scope/part-a@1.2.3-rc.1+build/dir/model.part+npm:part-b@0.1.0/model.part";
    const spec = parseModelSpec(text);
    assert.deepEqual(spec, {
      kind: "npm",
      parts: [
        { name: "@scope/part-a", version: "1.2.3-rc.1+build", file: "dir/model.part" },
        { name: "part-b", version: "0.1.0", file: "model.part" },
      ],
    });
    assert.equal(formatModelSpec(spec), text);
    assert.equal(modelIdOf(spec), "part-a");
    assert.equal(modelIdOf(parseModelSpec("npm:a@1.0.0/tiny-q4.gguf")), "tiny-q4");
    assert.equal(modelIdOf(parseModelSpec("npm:a@1.0.0/model.gguf")), "a");
  });

  test("names", () => {
    assert.deepEqual(parseModelSpec(" tinyllama "), { kind: "name", name: "tinyllama" });
  });

  test("the id has no part number", () => {
    assert.equal(modelIdOf(parseModelSpec("/m/big-00001-of-00004.gguf")), "big");
  });

  test("what is none of these", () => {
    for (const text of [
      "",
      "-x",
      "two words",
      "npm:",
      "npm:a@1.0.0",
      "npm:a@latest/f",
      "npm:a@^1.0.0/f",
      "npm:a;rm@1.0.0/f",
      "npm:a@1.0.0/../f",
      "npm:a@1.0.0/f+npm:b",
      "https://",
      "https://user:secret@example.org/m.gguf",
    ]) {
      assert.throws(() => parseModelSpec(text), { code: "invalid_argument", message: /^Expected / }, text);
    }
  });

  test("a password in a URL is not repeated", () => {
    assert.throws(
      () => parseModelSpec("https://user:secret@example.org/m"),
      (thrown: unknown) => {
        assert.doesNotMatch(String(thrown), /secret/);
        return true;
      },
    );
  });
});

describe("the catalogue", () => {
  for (const entry of CATALOGUE) {
    test(`${entry.alias} has a sound source, size and licence, and where they were read`, () => {
      const source = parseModelSpec(entry.source);
      assert.deepEqual(parseModelSpec(entry.alias), { kind: "name", name: entry.alias });
      assert.equal(catalogueEntry(entry.source), entry);
      if (source.kind === "hf") {
        assert.equal(entry.quants[source.quant ?? ""], entry.bytes);
        assert.ok(entry.page?.startsWith(`https://huggingface.co/${source.repo}`));
        assert.equal(formatModelSpec(source), entry.source);
      } else {
        assert.equal(source.kind, "npm");
        assert.match(entry.sha256 ?? "", /^[0-9a-f]{64}$/);
        assert.match(entry.fileName ?? "", /^[a-z0-9._-]+\.gguf$/);
      }
    });
  }

  test("has every name and source once", () => {
    for (const key of ["alias", "source"] as const) {
      assert.equal(new Set(CATALOGUE.map((entry) => entry[key])).size, CATALOGUE.length);
    }
  });
});
