import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { runInNewContext } from "node:vm";
import { fileTypeName, GGML_TYPES } from "../../src/model/ggml-types.js";

const VENDORED = "vendor/llama.cpp";
const skip = existsSync(`${VENDORED}/ggml/src/ggml.c`) ? false : "llama.cpp is not unpacked";

function source(path: string): string {
  return readFileSync(`${VENDORED}/${path}`, "utf8");
}

const C_SIZES: Readonly<Record<string, number>> = {
  double: 8,
  float: 4,
  ggml_bf16_t: 2,
  ggml_fp16_t: 2,
  ggml_half: 2,
  int8_t: 1,
  int16_t: 2,
  int32_t: 4,
  int64_t: 8,
  uint8_t: 1,
  uint16_t: 2,
  uint32_t: 4,
};

/** Evaluates the C expressions of ggml's headers: numbers, defined constants and `sizeof`. */
class Constants {
  readonly #defines = new Map<string, string>();
  readonly #structs = new Map<string, string>();

  constructor(header: string) {
    for (const [, name, value] of header.matchAll(/^#define (\w+) ([\w/]+)/gm))
      this.#defines.set(name ?? "", value ?? "");
    for (const [, name, value] of header.matchAll(/static_assert\(sizeof\((block_\w+)\) == ([^"]+), "/g)) {
      this.#structs.set(name ?? "", value ?? "");
    }
  }

  value(expression: string): number {
    const expanded = expression
      .replaceAll(/sizeof\((\w+)\)/g, (_, type: string) =>
        String(C_SIZES[type] ?? this.value(this.#structs.get(type) ?? "")),
      )
      .replaceAll(/[A-Za-z_]\w*/g, (name) => `(${this.value(this.#defines.get(name) ?? "")})`);
    assert.match(expanded, /^[\d\s+*/()-]+$/, expression);
    return Number(runInNewContext(expanded));
  }
}

test("number formats are packed as in the vendored ggml", { skip }, () => {
  const constants = new Constants(source("ggml/src/ggml-common.h"));
  const ids = new Map<string, number>();
  for (const [, name, id] of source("ggml/include/ggml.h").matchAll(/^\s*GGML_TYPE_(\w+)\s*= (\d+),/gm)) {
    if (name !== undefined && name !== "COUNT") ids.set(name, Number(id));
  }
  assert.deepEqual(
    [...ids.values()].sort((a, b) => a - b),
    [...GGML_TYPES.keys()],
  );
  const traits = /^ *\[GGML_TYPE_(\w+)\] = \{[^}]*?\.blck_size\s*= (\w+),\s*\.type_size\s*= ([^,]+),/gm;
  let checked = 0;
  for (const [, name = "", elements = "", bytes = ""] of source("ggml/src/ggml.c").matchAll(traits)) {
    const ours = GGML_TYPES.get(ids.get(name) ?? -1);
    const theirs = { name, blockElements: constants.value(elements), blockBytes: constants.value(bytes) };
    assert.deepEqual(ours, theirs);
    checked += 1;
  }
  assert.equal(checked, GGML_TYPES.size);
});

test("quantisations have the names of the vendored llama.h", { skip }, () => {
  const names = source("include/llama.h").matchAll(/^\s*LLAMA_FTYPE_(?:MOSTLY|ALL)_(\w+)\s*= (\d+),/gm);
  for (const [, name, id] of names) assert.equal(fileTypeName(Number(id)), name);
});
