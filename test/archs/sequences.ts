import assert from "node:assert/strict";
import { readGgufInfo } from "../../src/model/gguf-info.js";
import { encodeKvOperations, type KvOperation, type Row } from "../../src/native/micro-batch.js";
import { Chain, type Range, rowsOf } from "../support/stages.js";

const RESET: KvOperation = { op: "remove", sequence: null, from: 0, to: null };
const LENGTH = 40;
/** Of the range of the logits: other batch shapes add up in another order. */
const CLOSE = 1e-3;

const text = (seed: number, length: number): number[] =>
  Array.from({ length }, (_, index) => 3 + ((index * 97 + seed * 53) % 90));

/** Logits of the last row. */
type Step = (rows: readonly Row[], ...operations: KvOperation[]) => Promise<Float32Array>;

/**
 * What the prefix cache does to sequences: whole ones go on in place and as copies, whose source goes on too; and where
 * the stage says so, parts of them. Always against the same text computed in one go.
 */
export async function checkSequences(path: string): Promise<void> {
  const { layerCount } = await readGgufInfo(path);
  const middle = Math.floor(layerCount / 2);
  const cuts: readonly (readonly Range[])[] = [
    [[0, layerCount, true]],
    [
      [0, middle, false],
      [middle, layerCount, true],
    ],
  ];
  for (const ranges of cuts) {
    const chain = await Chain.load(path, ranges, { maxSequences: 3 });
    try {
      await checkChain(chain);
    } finally {
      await chain.close();
    }
  }
}

async function checkChain(chain: Chain): Promise<void> {
  const step: Step = async (rows, ...operations) => {
    const logits = await chain.logits(rows, encodeKvOperations(operations));
    return logits.slice(-chain.last.info.vocabularySize);
  };
  const start = text(1, LENGTH);
  const next = await step(rowsOf([...start, 9], 0, 2), RESET);
  const afterNext = await step(rowsOf([...start, 9, 11, 12], 0, 1), RESET);

  await step(rowsOf(start, 0, 0), RESET);
  assertClose(await step(rowsOf([9], LENGTH, 0)), next, "a sequence that goes on");

  await step(rowsOf(start, 0, 0), RESET);
  await step(rowsOf(text(4, 7), 0, 2));
  const copy: KvOperation = { op: "copy", sequence: 0, destination: 2, from: 0, to: null };
  assertClose(await step([...rowsOf([8], LENGTH, 0), ...rowsOf([9], LENGTH, 2)], copy), next, "a copy");
  await step(rowsOf([7], LENGTH + 1, 0));
  await step(rowsOf([11], LENGTH + 1, 2));
  assertClose(await step(rowsOf([12], LENGTH + 2, 2)), afterNext, "a copy whose source went another way");

  if (!chain.stages.every((stage) => stage.info.canTrim)) return;
  const long = rowsOf([...start, ...text(7, 20)], 0, 0);
  await step(long, RESET);
  const cut: KvOperation = { op: "remove", sequence: 0, from: LENGTH, to: null };
  assertClose(await step(rowsOf([9], LENGTH, 0), cut), next, "a sequence that was cut back");
  await step(long, RESET);
  const part: KvOperation = { op: "copy", sequence: 0, destination: 1, from: 0, to: LENGTH };
  assertClose(await step(rowsOf([9], LENGTH, 1), part), next, "a copy of a part");
}

function assertClose(actual: Float32Array, expected: Float32Array, what: string): void {
  const range = Math.max(...expected) - Math.min(...expected);
  expected.forEach((value, index) => {
    const error = Math.abs((actual[index] ?? Number.NaN) - value);
    assert.ok(error <= CLOSE * range, `${what}: logit ${index} is ${actual[index]} instead of ${value}`);
  });
}
