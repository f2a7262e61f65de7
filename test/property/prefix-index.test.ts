import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { BLOCK_TOKENS, type CachedTokens } from "../../src/runtime/cached-tokens.js";
import { PrefixIndex } from "../../src/runtime/prefix-index.js";
import { chooseSlot, type SlotView } from "../../src/runtime/slot-choice.js";

/** Few different tokens and long runs of them, so that prefixes meet often and end anywhere in a block. */
const run = fc.record({ token: fc.integer({ min: 0, max: 2 }), length: fc.integer({ min: 1, max: 3 * BLOCK_TOKENS }) });
const text = fc
  .array(run, { maxLength: 4 })
  .map((runs) => runs.flatMap((one) => Array<number>(one.length).fill(one.token)));

const SEQUENCES = 4;
const which = fc.integer({ min: 0, max: SEQUENCES - 1 });
const change = fc.oneof(
  fc.record({ kind: fc.constant("append" as const), at: which, text }),
  fc.record({ kind: fc.constant("truncate" as const), at: which, length: fc.nat(200) }),
  fc.record({ kind: fc.constant("copy" as const), at: which, to: which, length: fc.nat(200) }),
  fc.record({
    kind: fc.constant("shift" as const),
    at: which,
    keep: fc.nat(20),
    count: fc.integer({ min: 1, max: 40 }),
  }),
);
type Change = typeof change extends fc.Arbitrary<infer Value> ? Value : never;

/** What a sequence holds, kept in the plainest way; a shifted one shares nothing until it is emptied. */
interface Model {
  tokens: number[];
  shifted: boolean;
}

function apply(step: Change, sequences: readonly CachedTokens[], models: Model[]): void {
  const sequence = sequences[step.at];
  const model = models[step.at];
  assert.ok(sequence !== undefined && model !== undefined);
  switch (step.kind) {
    case "append":
      for (const token of step.text) sequence.push(token);
      model.tokens.push(...step.text);
      break;
    case "truncate":
      sequence.truncate(step.length);
      model.tokens = model.tokens.slice(0, step.length);
      if (step.length === 0) model.shifted = false;
      break;
    case "copy": {
      const target = sequences[step.to];
      if (step.to === step.at || model.shifted || target === undefined) break;
      target.become(sequence, step.length);
      models[step.to] = { tokens: model.tokens.slice(0, step.length), shifted: false };
      break;
    }
    case "shift":
      sequence.shift(step.keep, step.count);
      model.tokens.splice(step.keep, step.count);
      model.shifted = true;
      break;
  }
}

function commonLength(a: readonly number[], b: readonly number[]): number {
  const different = a.findIndex((token, index) => token !== b[index]);
  return different < 0 ? a.length : different;
}

describe("PrefixIndex", () => {
  test("finds what comparing every sequence token by token finds, whatever was done to them", () => {
    fc.assert(
      fc.property(fc.array(change, { maxLength: 30 }), text, (steps, prompt) => {
        const index = new PrefixIndex();
        const sequences = Array.from({ length: SEQUENCES }, () => index.addSequence());
        const models: Model[] = sequences.map(() => ({ tokens: [], shifted: false }));
        for (const step of steps) apply(step, sequences, models);
        const found = index.commonPrefixes(prompt);
        sequences.forEach((sequence, at) => {
          const model = models[at];
          assert.ok(model !== undefined);
          assert.deepEqual(sequence.tokens, model.tokens);
          const expected = model.shifted ? 0 : commonLength(model.tokens.slice(0, prompt.length), prompt);
          assert.equal(found.get(sequence), expected);
          assert.equal(sequence.commonPrefix(prompt), expected);
        });
      }),
      { numRuns: 500 },
    );
  });

  test("blocks count together with everything before them", () => {
    const index = new PrefixIndex();
    const [first, second] = [index.addSequence(), index.addSequence()];
    const block = Array.from({ length: BLOCK_TOKENS }, (_, at) => at);
    const other = block.map((token) => token + 100);
    for (const token of [...block, ...block]) first.push(token);
    for (const token of [...other, ...block]) second.push(token);
    const found = index.commonPrefixes([...block, ...block, 7]);
    assert.equal(found.get(first), 2 * BLOCK_TOKENS);
    assert.equal(found.get(second), 0);
  });
});

const view: fc.Arbitrary<Omit<SlotView, "sequence">> = fc
  .record({
    idle: fc.boolean(),
    cached: fc.nat(4000),
    part: fc.double({ min: 0, max: 1, noNaN: true }),
    age: fc.integer({ min: 1, max: 100 }),
  })
  .map(({ idle, cached, part, age }) => ({ idle, cached, common: Math.floor(cached * part), age }));
const views = fc
  .array(view, { minLength: 1, maxLength: 8 })
  .map((all) => all.map((one, sequence) => ({ ...one, sequence })));
const copyCost = fc.integer({ min: 1, max: 100 });

describe("the choice of a slot", () => {
  test("is an idle one whenever there is one, and reuses only what some sequence has", () => {
    fc.assert(
      fc.property(views, copyCost, fc.boolean(), (slots, cost, canTrim) => {
        const choice = chooseSlot(slots, { canTrim, copyCost: cost });
        if (choice === null) {
          assert.ok(slots.every((slot) => !slot.idle));
          return;
        }
        const slot = slots[choice.sequence];
        assert.equal(slot?.idle, true);
        const source = slots[choice.copyFrom ?? choice.sequence];
        assert.ok(source !== undefined && source.common >= choice.reused);
        if (!canTrim && choice.reused > 0) assert.equal(choice.reused, source.cached);
        if (choice.copyFrom !== null) assert.notEqual(choice.copyFrom, choice.sequence);
      }),
    );
  });

  test("never makes a slot forget more, and more lately used, than another idle slot that would do as well", () => {
    fc.assert(
      fc.property(views, copyCost, (slots, cost) => {
        const choice = chooseSlot(slots, { canTrim: true, copyCost: cost });
        const chosen = slots[choice?.sequence ?? -1];
        if (chosen === undefined) return;
        const lost = chosen.cached - chosen.common;
        for (const other of slots) {
          const asGood = other.idle && other.common >= chosen.common;
          if (!asGood || other.cached - other.common >= lost || other.age < chosen.age) continue;
          assert.fail(`${JSON.stringify(other)} would do as well as ${JSON.stringify(chosen)}`);
        }
      }),
    );
  });

  test("prefers an empty slot with a copy to cutting back a long sequence that was just used", () => {
    const slots: SlotView[] = [
      { sequence: 0, idle: true, cached: 3000, common: 1000, age: 1 },
      { sequence: 1, idle: true, cached: 0, common: 0, age: 9 },
    ];
    assert.deepEqual(chooseSlot(slots, { canTrim: true, copyCost: 32 }), { sequence: 1, reused: 1000, copyFrom: 0 });
  });

  test("goes on in the slot of a conversation when nothing is lost by it", () => {
    const slots: SlotView[] = [
      { sequence: 0, idle: true, cached: 0, common: 0, age: 9 },
      { sequence: 1, idle: true, cached: 1010, common: 1000, age: 1 },
    ];
    assert.deepEqual(chooseSlot(slots, { canTrim: true, copyCost: 32 }), { sequence: 1, reused: 1000, copyFrom: null });
  });

  test("gives a strange prompt the shortest leftover, not the long prefix", () => {
    const slots: SlotView[] = [
      { sequence: 0, idle: true, cached: 2000, common: 1, age: 5 },
      { sequence: 1, idle: true, cached: 40, common: 1, age: 2 },
    ];
    assert.equal(chooseSlot(slots, { canTrim: true, copyCost: 32 })?.sequence, 1);
  });

  test("lets a long prefix that nobody asked for in a long time go", () => {
    const slots: SlotView[] = [
      { sequence: 0, idle: true, cached: 2000, common: 0, age: 100 },
      { sequence: 1, idle: true, cached: 300, common: 0, age: 2 },
    ];
    assert.equal(chooseSlot(slots, { canTrim: true, copyCost: 32 })?.sequence, 0);
  });
});
