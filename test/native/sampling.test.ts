import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { ExoError } from "../../src/core/errors.js";
import { encodeRows } from "../../src/native/micro-batch.js";
import type { Sampler, SamplerOptions } from "../../src/native/sampler.js";
import type { Sample, SampleRun, Stage } from "../../src/native/stage.js";
import { argmax, loadRange, rowsOf, someTokens } from "../support/stages.js";
import { TINY_EOS, writeTinyModel } from "../support/tiny-gguf.js";

const tiny = writeTinyModel();
const RESET = Int32Array.of(0, -1, 0, 0, -1, 0);
let stage: Stage;

before(async () => {
  stage = await loadRange(tiny.path, [0, 4, true], { maxSequences: 2 });
});
after(async () => {
  await stage.close();
  tiny.remove();
});

/** The only sample of a request without a draft. */
function sampleOf(run: SampleRun | undefined): Sample {
  const [value, ...more] = run ?? [];
  assert.ok(value !== undefined && !(value instanceof ExoError), String(value));
  assert.equal(more.length, 0);
  return value;
}

/** Lets the model go on from a prompt, one token at a time. */
async function generate(sampler: Sampler, count: number, prompt = someTokens(6)): Promise<number[]> {
  const tokens: number[] = [];
  let next = prompt;
  let position = 0;
  while (tokens.length < count) {
    const rows = rowsOf(next, position).map((row, index) => ({ ...row, output: index === next.length - 1 }));
    const result = await stage.decode({
      rows: encodeRows(rows),
      kvOperations: position === 0 ? RESET : new Int32Array(0),
      samples: [{ row: rows.length - 1, sampler, logprobs: 0 }],
    });
    const { token } = sampleOf(result.samples[0]);
    position += next.length;
    next = [token];
    tokens.push(token);
  }
  return tokens;
}

/** One token after a fixed prompt. */
async function sampleOnce(options: SamplerOptions, logprobs = 0): Promise<{ sample: Sample; logits: Float32Array }> {
  const sampler = stage.createSampler(options);
  const rows = rowsOf(someTokens(6)).map((row, index) => ({ ...row, output: index === 5 }));
  const result = await stage.decode({
    rows: encodeRows(rows),
    kvOperations: RESET,
    samples: [{ row: 5, sampler, logprobs }],
    wantLogits: true,
  });
  sampler.close();
  assert.ok(result.logits !== null);
  return { sample: sampleOf(result.samples[0]), logits: result.logits };
}

describe("choosing a token", () => {
  test("temperature 0 takes the likeliest", async () => {
    const { sample, logits } = await sampleOnce({ temperature: 0 });
    assert.equal(sample.token, argmax(logits));
    assert.equal(sample.logprob, null);
    assert.deepEqual(sample.top, []);
  });

  test("a seed makes the text reproducible, another one makes another", async () => {
    const options = { temperature: 1.5, topK: 0, topP: 1, minP: 0 };
    const [first, again, other] = [7, 7, 8].map((seed) => stage.createSampler({ ...options, seed }));
    assert.ok(first && again && other);
    const text = await generate(first, 20);
    assert.deepEqual(await generate(again, 20), text);
    assert.notDeepEqual(await generate(other, 20), text);
    for (const sampler of [first, again, other]) sampler.close();
  });

  test("without a seed each sampler draws its own, and says it", () => {
    const [one, two] = [stage.createSampler(), stage.createSampler()];
    assert.notEqual(one.seed, two.seed);
    one.close();
    two.close();
  });

  test("a sampler that is fed an answer goes on as the one that wrote it", async () => {
    const options = { temperature: 1.2, topK: 0, topP: 1, minP: 0, seed: 99, repeatPenalty: 1.3 };
    const whole = stage.createSampler(options);
    const text = await generate(whole, 24);
    const resumed = stage.createSampler(options);
    resumed.acceptAnswer(text.slice(0, 10));
    const rest = await generate(resumed, 14, [...someTokens(6), ...text.slice(0, 10)]);
    assert.deepEqual(rest, text.slice(10));
    whole.close();
    resumed.close();
  });

  describe("that was broken off at any token goes on as if it had not been", () => {
    const PROMPT = someTokens(6);
    const LENGTH = 16;

    /** Decodes what was told before one by one, as it was computed, and goes on. */
    async function goOn(sampler: Sampler, told: readonly number[]): Promise<number[]> {
      sampler.acceptPrompt(PROMPT);
      sampler.acceptAnswer(told);
      const tokens = [...told];
      let rows = rowsOf(PROMPT);
      let position = 0;
      while (position < PROMPT.length + LENGTH - 1) {
        const isNew = position + rows.length === PROMPT.length + tokens.length;
        const last = rows.length - 1;
        const result = await stage.decode({
          rows: encodeRows(rows.map((row, index) => ({ ...row, output: isNew && index === last }))),
          kvOperations: position === 0 ? RESET : new Int32Array(0),
          samples: isNew ? [{ row: last, sampler, logprobs: 0 }] : [],
        });
        if (isNew) tokens.push(sampleOf(result.samples[0]).token);
        position += rows.length;
        rows = rowsOf(tokens.slice(position - PROMPT.length, position - PROMPT.length + 1), position);
      }
      return tokens;
    }

    const free = { temperature: 1.2, topK: 0, topP: 0.95, minP: 0.01, seed: 99 };
    const schema = {
      type: "object",
      properties: { a: { enum: ["one", "two"] }, b: { type: "integer" } },
      required: ["b"],
    };
    const cases: readonly [string, SamplerOptions][] = [
      ["greedy", { temperature: 0 }],
      ["greedy with penalties", { temperature: 0, repeatPenalty: 1.4, repeatLastN: 8, presencePenalty: 0.5 }],
      ["seeded", { ...free, repeatPenalty: 1.3, frequencyPenalty: 0.4 }],
      ["seeded, likeliest token only", { ...free, topK: 1 }],
      ["seeded, with a bias", { ...free, logitBias: { "40": 3, "41": -100 } }],
      ["held to a grammar, seeded", { ...free, grammar: 'root ::= ("ab" | "ba" | [0-9] "-")+' }],
      ["held to a JSON schema, seeded", { ...free, jsonSchema: JSON.stringify(schema) }],
      ["held to a JSON schema, greedy", { temperature: 0, jsonSchema: JSON.stringify(schema) }],
    ];
    for (const [name, options] of cases) {
      test(name, async () => {
        const whole = stage.createSampler(options);
        const text = await goOn(whole, []);
        whole.close();
        const length = text.indexOf(TINY_EOS) < 0 ? text.length : text.indexOf(TINY_EOS);
        for (let told = 1; told < length; told += 1) {
          const sampler = stage.createSampler(options);
          assert.deepEqual(await goOn(sampler, text.slice(0, told)), text, `after ${told} tokens`);
          sampler.close();
        }
      });
    }
  });

  test("log-probabilities are those of the raw logits, best first", async () => {
    const { sample, logits } = await sampleOnce({ temperature: 0, logitBias: { "5": 100 } }, 4);
    const normalizer = Math.log(logits.reduce((sum, logit) => sum + Math.exp(logit), 0));
    assert.equal(sample.token, 5);
    assert.ok(Math.abs((sample.logprob ?? 0) - ((logits[5] ?? 0) - normalizer)) < 1e-4);
    assert.equal(sample.top.length, 3);
    assert.equal(sample.top[0]?.token, argmax(logits));
    const probabilities = sample.top.map(({ logprob }) => logprob);
    assert.deepEqual(
      probabilities,
      probabilities.toSorted((a, b) => b - a),
    );
  });

  test("several sequences of one micro-batch are sampled each by its own", async () => {
    const greedy = stage.createSampler({ temperature: 0 });
    const biased = stage.createSampler({ temperature: 0, logitBias: { "9": 100 } });
    const rows = [...rowsOf(someTokens(3), 0, 0), ...rowsOf(someTokens(4, 2), 0, 1)];
    const result = await stage.decode({
      rows: encodeRows(rows),
      kvOperations: RESET,
      samples: [
        { row: 6, sampler: biased, logprobs: 1 },
        { row: 2, sampler: greedy, logprobs: 0 },
      ],
      wantLogits: true,
    });
    const size = stage.info.vocabularySize;
    assert.equal(sampleOf(result.samples[0]).token, 9);
    assert.equal(
      sampleOf(result.samples[1]).token,
      argmax(result.logits?.slice(2 * size, 3 * size) ?? new Float32Array()),
    );
    greedy.close();
    biased.close();
  });

  test("the end of a text is reported, and can be ignored", async () => {
    const bias = { [String(TINY_EOS)]: 1000 };
    assert.equal((await sampleOnce({ temperature: 0, logitBias: bias })).sample.isEndOfGeneration, true);
    const ignoring = await sampleOnce({ temperature: 0, logitBias: bias, ignoreEos: true });
    assert.notEqual(ignoring.sample.token, TINY_EOS);
  });
});

describe("grammars", () => {
  test("bind every token", async () => {
    const sampler = stage.createSampler({ grammar: 'root ::= "yes" | "no"', temperature: 1, seed: 3 });
    const tokens = await generate(sampler, 4);
    const text = stage.tokenizer.decode(tokens.filter((token) => token !== TINY_EOS));
    assert.match(text, /^(yes|no)/);
    sampler.close();
  });

  test("come from a JSON schema, too", async () => {
    const schema = JSON.stringify({ type: "object", properties: { a: { enum: [1, 2] } }, required: ["a"] });
    const sampler = stage.createSampler({ jsonSchema: schema, temperature: 1, seed: 5 });
    const tokens: number[] = [];
    for (const token of await generate(sampler, 16)) {
      if (token === TINY_EOS) break;
      tokens.push(token);
    }
    assert.match(stage.tokenizer.decode(tokens), /^\s*\{\s*"a"/);
    sampler.close();
  });

  test("that cannot be read are refused with a sentence", () => {
    for (const options of [{ grammar: "root ::= (" }, { grammar: "nothing" }, { grammar: "%llguidance {}" }]) {
      assert.throws(() => stage.createSampler(options), { code: "invalid_argument", message: /[Gg]rammar/ });
    }
    assert.throws(() => stage.createSampler({ jsonSchema: "{" }), { code: "invalid_argument" });
    assert.throws(() => stage.createSampler({ jsonSchema: "{}", grammar: 'root ::= "a"' }), {
      code: "invalid_argument",
    });
    assert.throws(() => stage.createSampler({ constraint: "{}" }), { code: "invalid_argument" });
  });
});

describe("bad options", () => {
  const refused: readonly [string, SamplerOptions, RegExp][] = [
    ["a negative temperature", { temperature: -1 }, /temperature/],
    ["a temperature that is no number", { temperature: Number.NaN }, /temperature/],
    ["top_p above 1", { topP: 2 }, /top_p/],
    ["a repeat penalty of 0", { repeatPenalty: 0 }, /repeat_penalty/],
    ["a bias for a token outside the vocabulary", { logitBias: { "100000": 1 } }, /vocabulary/],
    ["a bias for no token", { logitBias: { hello: 1 } }, /hello/],
    ["a seed that is no integer", { seed: 1.5 }, /seed/],
  ];
  for (const [name, options, message] of refused) {
    test(`${name} is refused by name`, () => {
      assert.throws(() => stage.createSampler(options), { name: "ExoError", code: "invalid_argument", message });
    });
  }

  test("a sampler is refused once closed, and at another stage", async () => {
    const other = await loadRange(tiny.path, [0, 4, true]);
    const sampler = stage.createSampler();
    const rows = encodeRows(rowsOf([3]));
    await assert.rejects(other.decode({ rows, samples: [{ row: 0, sampler, logprobs: 0 }] }), /another stage/);
    sampler.close();
    sampler.close();
    assert.throws(() => sampler.acceptPrompt([3]), /closed/);
    await assert.rejects(
      stage.decode({ rows, kvOperations: RESET, samples: [{ row: 0, sampler, logprobs: 0 }] }),
      /closed/,
    );
    await other.close();
  });

  test("a stage without the output head has no samplers", async () => {
    const first = await loadRange(tiny.path, [0, 2, false]);
    assert.throws(() => first.createSampler(), { code: "invalid_argument", message: /output head/ });
    await first.close();
  });
});
