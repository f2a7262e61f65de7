import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { parseGgufHeader } from "../../src/model/gguf-header.js";
import { readGgufInfo } from "../../src/model/gguf-info.js";
import { partRanges } from "../../src/model/sparse/part-ranges.js";
import type { StageOptions } from "../../src/native/stage-options.js";
import { sharedModel } from "../support/models.js";
import { Chain, loadRange, type Range, rowsOf, someTokens } from "../support/stages.js";
import { writeTinyModel } from "../support/tiny-gguf.js";

const folder = mkdtempSync(join(tmpdir(), "exo-native-sparse-"));
const plain = writeTinyModel();
const tied = writeTinyModel({ tied: true });
after(() => {
  for (const model of [plain, tied]) model.remove();
  rmSync(folder, { recursive: true, force: true });
});

const stories = sharedModel("stories15M-q8_0.gguf");
const models: readonly { readonly name: string; readonly path: string }[] = [
  { name: "a tiny llama", path: plain.path },
  { name: "a tied embedding", path: tied.path },
  ...(stories === null ? [] : [{ name: "stories15M", path: stories }]),
];

/** A copy in which every byte that this stage does not need is 0xff: not a number, wherever it would be used. */
async function poisoned(path: string, [begin, end, hasOutput]: Range): Promise<string> {
  const file = readFileSync(path);
  const header = parseGgufHeader(file, file.length, path);
  const info = await readGgufInfo(path);
  const part = { begin, end, hasEmbedding: begin === 0 && end > 0, hasOutput };
  const copy = Buffer.alloc(file.length, 0xff);
  for (const range of partRanges(header, file.length, part, info)) file.copy(copy, range.begin, range.begin, range.end);
  assert.ok(copy.includes(0xff), "something is left out");
  const target = join(folder, `${begin}-${end}-${hasOutput}-${file.length}.gguf`);
  writeFileSync(target, copy);
  return target;
}

for (const { name, path } of models) {
  describe(`stages of ${name}, each from a file that holds its part only`, async () => {
    const { layerCount } = await readGgufInfo(path);
    const ranges: readonly Range[] = [
      [0, 1, false],
      [1, layerCount - 1, false],
      [layerCount - 1, layerCount, false],
      [layerCount, layerCount, true],
    ];
    const ways: Record<string, Partial<StageOptions>> = { mapped: {}, "read into memory": { useMmap: false } };
    for (const [way, options] of Object.entries(ways)) {
      test(`give what the whole gives, ${way}`, async () => {
        const whole = await Chain.load(path, [[0, layerCount, true]], options);
        const stages = await Promise.all(
          ranges.map(async (range) => loadRange(await poisoned(path, range), range, options)),
        );
        const parts = Chain.of(stages);
        for (const rows of [rowsOf(someTokens(30)), rowsOf(someTokens(1, 7), 30)]) {
          assert.deepEqual(await parts.logits(rows), await whole.logits(rows));
        }
        await Promise.all([parts.close(), whole.close()]);
      });
    }
  });
}
