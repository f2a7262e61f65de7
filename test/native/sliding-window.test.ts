import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { encodeKvOperations, type KvOperation } from "../../src/native/micro-batch.js";
import { shiftOf } from "../../src/runtime/context-shift.js";
import { argmax, Chain, type Range, rowsOf, someTokens } from "../support/stages.js";
import { tinyWindowedGguf } from "../support/tiny-windowed.js";

const CONTEXT = 256;
const WINDOW = 32;

const directory = mkdtempSync(join(tmpdir(), "exo-native-window-"));
const path = join(directory, "windowed.gguf");
writeFileSync(path, tinyWindowedGguf(WINDOW));
after(() => rmSync(directory, { recursive: true, force: true }));

/** Token by token through several full contexts; the oldest tokens but the first `keep` make way each time. */
async function shifted(chain: Chain, keep: number, shifts: number): Promise<number[]> {
  const tokens: number[] = [];
  let next = argmax((await chain.logits(rowsOf(someTokens(keep)))).slice(-chain.last.info.vocabularySize));
  let length = keep;
  for (let done = 0; done <= shifts; ) {
    const operations: KvOperation[] = [];
    if (length === CONTEXT) {
      const { keep: kept, drop } = shiftOf(length, keep);
      operations.push({ op: "remove", sequence: 0, from: kept, to: kept + drop });
      operations.push({ op: "add", sequence: 0, from: kept + drop, to: null, delta: -drop });
      length -= drop;
      done += 1;
    }
    tokens.push(next);
    next = argmax(await chain.logits(rowsOf([next], length), encodeKvOperations(operations)));
    length += 1;
  }
  return tokens;
}

const load = (...ranges: readonly Range[]) => Chain.load(path, ranges, { contextSize: CONTEXT });

describe("a model with a sliding window", () => {
  for (const keep of [4, 5]) {
    test(`goes on through shift after shift when ${keep} tokens are kept, cut or not`, async () => {
      const [whole, cut] = [await load([0, 4, true]), await load([0, 2, false], [2, 4, true])];
      const tokens = await shifted(whole, keep, 5);
      assert.ok(tokens.length > 5 * (CONTEXT / 2 - keep));
      assert.deepEqual(await shifted(cut, keep, 5), tokens);
      await Promise.all([whole.close(), cut.close()]);
    });
  }

  test("is not cut back to where its window has moved past, however that is asked for", async () => {
    const chain = await load([0, 4, true]);
    await shifted(chain, 5, 3);
    for (const to of [null, CONTEXT, 2 * CONTEXT]) {
      const remove = encodeKvOperations([{ op: "remove", sequence: 0, from: 5, to }]);
      await assert.rejects(chain.logits(rowsOf([5], 5), remove), {
        code: "unsupported",
        message: /cannot be cut back to position 5/,
      });
    }
    await chain.close();
  });
});
