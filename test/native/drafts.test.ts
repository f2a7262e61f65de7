import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { ExoError } from "../../src/core/errors.js";
import { encodeKvOperations, encodeRows, type Row } from "../../src/native/micro-batch.js";
import type { SamplerOptions } from "../../src/native/sampler.js";
import type { Sample, SampleRun, Stage } from "../../src/native/stage.js";
import { loadRange, rowsOf, someTokens } from "../support/stages.js";
import { TINY_EOS, writeTinyModel } from "../support/tiny-gguf.js";

const tiny = writeTinyModel();
const PROMPT = someTokens(6);
const EMPTY = encodeKvOperations([{ op: "remove", sequence: null, from: 0, to: null }]);
let stage: Stage;

before(async () => {
  stage = await loadRange(tiny.path, [0, 4, true], { maxSequences: 2 });
});
after(async () => {
  await stage.close();
  tiny.remove();
});

function chosen(run: SampleRun | undefined): readonly Sample[] {
  return (run ?? []).map((sample) => {
    assert.ok(!(sample instanceof ExoError), String(sample));
    return sample;
  });
}

/** An answer of `count` tokens to `PROMPT`, of which `draft` may be asked for the next few before each step. */
async function answer(
  options: SamplerOptions,
  count: number,
  draft: (soFar: readonly number[]) => readonly number[] = () => [],
): Promise<{ readonly samples: readonly Sample[]; readonly steps: number }> {
  const sampler = stage.createSampler(options);
  const samples: Sample[] = [];
  let steps = 0;
  let known = 0;
  let next = PROMPT;
  while (samples.length < count && samples.at(-1)?.isEndOfGeneration !== true) {
    const drafted = steps === 0 ? [] : draft(samples.map(({ token }) => token)).slice(0, count - samples.length - 1);
    const rows = rowsOf([...next, ...drafted], known).map((row, at) => ({ ...row, output: at >= next.length - 1 }));
    const result = await stage.decode({
      rows: encodeRows(rows),
      kvOperations: steps === 0 ? EMPTY : encodeKvOperations([{ op: "remove", sequence: 0, from: known, to: null }]),
      samples: [{ row: next.length - 1, drafted: drafted.length, sampler, logprobs: 3 }],
    });
    const run = chosen(result.samples[0]);
    known += next.length + run.length - 1;
    next = [run.at(-1)?.token ?? 0];
    samples.push(...run);
    steps += 1;
  }
  sampler.close();
  return { samples, steps };
}

/** Without batch-invariant kernels the last bits of a probability depend on the number of rows. */
function assertAlike(actual: readonly Sample[], expected: readonly Sample[]): void {
  const tokens = (samples: readonly Sample[]): readonly number[] => samples.map(({ token }) => token);
  assert.deepEqual(tokens(actual), tokens(expected));
  for (const [index, { logprob, top }] of actual.entries()) {
    const other = expected[index];
    assert.ok(Math.abs((logprob ?? 0) - (other?.logprob ?? 0)) < 1e-3);
    assert.equal(top.length, 2);
    assert.ok(Math.abs((top[0]?.logprob ?? 0) - (other?.top[0]?.logprob ?? 0)) < 1e-3);
  }
}

const SETTINGS: readonly [string, SamplerOptions][] = [
  ["greedy", { temperature: 0 }],
  ["seeded", { temperature: 1.2, topK: 0, topP: 1, minP: 0, seed: 11 }],
  ["with penalties", { temperature: 0.9, repeatPenalty: 1.3, presencePenalty: 0.5, repeatLastN: 16, seed: 4 }],
  ["bound by a grammar", { temperature: 1, seed: 9, grammar: 'root ::= [a-d] [0-9] [x-z]* "!"' }],
];

describe("an answer whose tokens are drafted", () => {
  for (const [name, options] of SETTINGS) {
    test(`${name}: right drafts give the same text in fewer steps`, async () => {
      const plain = await answer(options, 20);
      const text = plain.samples.map(({ token }) => token);
      const drafted = await answer(options, 20, (soFar) => text.slice(soFar.length, soFar.length + 4));
      assertAlike(drafted.samples, plain.samples);
      assert.ok(drafted.steps < plain.steps, `${drafted.steps} steps rather than ${plain.steps}`);
    });

    test(`${name}: wrong drafts leave no trace`, async () => {
      const plain = await answer(options, 20);
      const text = plain.samples.map(({ token }) => token);
      const wrong = (token: number): number => (token === 70 ? 71 : 70);
      for (const rightOnes of [0, 1, 3]) {
        const drafted = await answer(options, 20, (soFar) =>
          text.slice(soFar.length, soFar.length + 6).map((token, index) => (index < rightOnes ? token : wrong(token))),
        );
        assertAlike(drafted.samples, plain.samples);
      }
    });
  }

  test("ends where the model ends, whatever was drafted behind that", async () => {
    const sampler = stage.createSampler({ temperature: 0, logitBias: { [String(TINY_EOS)]: 1000 } });
    const result = await stage.decode({
      rows: encodeRows(rowsOf([5, TINY_EOS, TINY_EOS])),
      kvOperations: EMPTY,
      samples: [{ row: 0, drafted: 2, sampler, logprobs: 0 }],
    });
    const run = chosen(result.samples[0]);
    assert.deepEqual(
      run.map(({ isEndOfGeneration }) => isEndOfGeneration),
      [true],
    );
    sampler.close();
  });

  test("runs of several sequences stand side by side", async () => {
    const bias = (token: number): SamplerOptions => ({ temperature: 0, logitBias: { [String(token)]: 1000 } });
    const [nines, eights] = [stage.createSampler(bias(9)), stage.createSampler(bias(8))];
    const rows = [...rowsOf([5, 9, 9, 7], 0, 0), ...rowsOf([5, 7], 0, 1)];
    const { samples } = await stage.decode({
      rows: encodeRows(rows),
      kvOperations: EMPTY,
      samples: [
        { row: 4, drafted: 1, sampler: eights, logprobs: 0 },
        { row: 0, drafted: 3, sampler: nines, logprobs: 0 },
      ],
    });
    assert.deepEqual(
      samples.map((run) => chosen(run).map(({ token }) => token)),
      [[8], [9, 9, 9]],
    );
    for (const sampler of [nines, eights]) sampler.close();
  });
});

describe("refused drafts", () => {
  const row = (position: number, extra: Partial<Row> = {}): Row => ({
    sequence: 0,
    position,
    token: 5,
    output: true,
    ...extra,
  });
  const cases: readonly [string, readonly Row[], RegExp][] = [
    ["more than there are rows", [row(0), row(1)], /Row 2 .* rows with output/],
    ["rows without output", [row(0), row(1, { output: false }), row(2)], /Row 1 .* rows with output/],
    ["rows of another sequence", [row(0), row(0, { sequence: 1 }), row(1)], /Row 1 .* does not follow row 0/],
    ["rows with a gap", [row(0), row(2), row(3)], /Row 1 .* does not follow row 0/],
  ];
  for (const [name, rows, message] of cases) {
    test(name, async () => {
      const sampler = stage.createSampler({ temperature: 0 });
      const samples = [{ row: 0, drafted: 2, sampler, logprobs: 0 }];
      await assert.rejects(stage.decode({ rows: encodeRows(rows), kvOperations: EMPTY, samples }), {
        name: "ExoError",
        code: "invalid_argument",
        message,
      });
      sampler.close();
    });
  }

  test("a number of drafted tokens that is none", async () => {
    const sampler = stage.createSampler({ temperature: 0 });
    for (const drafted of [-1, 1.5, Number.NaN, 2 ** 32]) {
      const samples = [{ row: 0, drafted, sampler, logprobs: 0 }];
      await assert.rejects(stage.decode({ rows: encodeRows([row(0)]), samples }), /batch\.samples\[0\]\.drafted/);
    }
    await assert.rejects(
      stage.decode({ rows: encodeRows([row(0)]), samples: [{ row: 0, drafted: 2 ** 32 - 1, sampler, logprobs: 0 }] }),
      { code: "invalid_argument" },
    );
    sampler.close();
  });
});
