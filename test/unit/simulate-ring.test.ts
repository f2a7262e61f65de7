import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { hopSeconds, type LinkSpec, NO_LINK } from "../../benchmarks/simulate/link.js";
import { lockStep } from "../../benchmarks/simulate/lock-step.js";
import { decodeSpeed, prefillSpeed, streamsSpeed } from "../../benchmarks/simulate/measures.js";
import { ScheduledRun } from "../../benchmarks/simulate/scheduled-run.js";
import type { RingSpec, StageCost } from "../../benchmarks/simulate/stage-cost.js";

const ROW_BYTES = 1000;
const SETTINGS = { ubatch: 128, promptTokens: 1024, answerTokens: 40, shortPrompt: 8 };

/** Seconds that a pass takes at least, and those of each row; the output head takes none unless it is given some. */
function stage(base: number, perRow: number, output = 0): StageCost {
  return { layers: ({ rows }) => (rows === 0 ? 0 : base + rows * perRow), output: () => output };
}

function ring(stages: readonly StageCost[], link: LinkSpec = NO_LINK): RingSpec {
  return { stages, links: stages.length === 1 ? [] : stages.map(() => link), rowBytes: ROW_BYTES };
}

function near(actual: number, expected: number, part = 1e-6): void {
  assert.ok(Math.abs(actual / expected - 1) <= part, `${actual} is not about ${expected}`);
}

const stages = fc.array(
  fc.tuple(fc.double({ min: 1e-4, max: 0.1, noNaN: true }), fc.double({ min: 1e-6, max: 1e-3, noNaN: true })),
  { minLength: 1, maxLength: 5 },
);
const links = fc.record({
  latency: fc.double({ min: 0, max: 0.05, noNaN: true }),
  bytesPerSecond: fc.double({ min: 1e6, max: 1e9, noNaN: true }),
  overhead: fc.double({ min: 0, max: 1e-3, noNaN: true }),
});
const FEW = { numRuns: 25 };

describe("without overheads a simulated ring is what theory says", () => {
  for (const nodes of [1, 2, 3, 4]) {
    test(`prefill of ${nodes} equal stages: (M + N − 1)·T`, async () => {
      const perRow = 1e-3;
      const chunks = SETTINGS.promptTokens / SETTINGS.ubatch;
      const { firstSeconds } = await prefillSpeed(ring(new Array(nodes).fill(stage(0, perRow))), SETTINGS);
      near(firstSeconds, (chunks + nodes - 1) * SETTINGS.ubatch * perRow);
    });

    test(`decode of one stream on ${nodes}: the sum of the stages`, async () => {
      const parts = Array.from({ length: nodes }, (_, index) => stage(0.01 * (index + 1), 0, index === 0 ? 0.005 : 0));
      const { tokensPerSecond } = await decodeSpeed(ring(parts), SETTINGS);
      near(1 / tokensPerSecond, 0.005 + (0.01 * nodes * (nodes + 1)) / 2);
    });

    test(`as many streams as ${nodes} stages whose time grows with the rows: one token per slowest stage`, async () => {
      const spec = ring(new Array(nodes).fill(stage(0, 0.01)));
      const { tokensPerSecond, utilisation } = await streamsSpeed(spec, nodes, { ...SETTINGS, answerTokens: 600 });
      near(tokensPerSecond, 100, 0.06);
      for (const busy of utilisation) assert.ok(busy > 0.9, `${busy}`);
    });
  }

  test("streams whose rows cost nothing more share one pass rather than queue", async () => {
    const spec = ring([stage(0.01, 0), stage(0.01, 0)]);
    const { tokensPerSecond } = await streamsSpeed(spec, 8, { ...SETTINGS, answerTokens: 400 });
    // At best two groups of four, one in each stage.
    assert.ok(tokensPerSecond > 350 && tokensPerSecond <= 400.001, `${tokensPerSecond}`);
  });
});

describe("a simulated ring", () => {
  test("adds a hop per stage to every token of one stream", async () => {
    await fc.assert(
      fc.asyncProperty(stages, links, async (costs, link) => {
        const spec = ring(
          costs.map(([base, perRow]) => stage(base, perRow)),
          link,
        );
        const { tokensPerSecond } = await decodeSpeed(spec, SETTINGS);
        const compute = costs.reduce((sum, [base, perRow]) => sum + base + perRow, 0);
        // A frame is 64 bytes and 12 of each row, beside the hidden states.
        const hops = spec.links.reduce((sum, one) => sum + hopSeconds(one, 64 + 12 + ROW_BYTES), 0);
        near(1 / tokensPerSecond, compute + hops);
      }),
      FEW,
    );
  });

  test("is never faster than its slowest stage, whatever is asked of it", async () => {
    await fc.assert(
      fc.asyncProperty(stages, links, fc.integer({ min: 1, max: 6 }), async (costs, link, streams) => {
        const spec = ring(
          costs.map(([base, perRow]) => stage(base, perRow)),
          link,
        );
        const prefill = await prefillSpeed(spec, SETTINGS);
        for (const [base, perRow] of costs) {
          const chunks = SETTINGS.promptTokens / SETTINGS.ubatch;
          const least = chunks * base + SETTINGS.promptTokens * perRow;
          assert.ok(prefill.firstSeconds >= least * (1 - 1e-9));
        }
        const together = await streamsSpeed(spec, streams, SETTINGS);
        for (const busy of [...prefill.utilisation, ...together.utilisation]) assert.ok(busy <= 1 + 1e-9, `${busy}`);
        // Every row is computed by every stage; at best all streams share every pass.
        for (const [base, perRow] of costs) {
          assert.ok(together.tokensPerSecond <= (streams / (base + streams * perRow)) * (1 + 1e-9));
        }
      }),
      FEW,
    );
  });

  test("is never faster over a slower link, one request at a time", async () => {
    await fc.assert(
      fc.asyncProperty(stages, links, fc.double({ min: 1, max: 3, noNaN: true }), async (costs, link, worse) => {
        const parts = costs.map(([base, perRow]) => stage(base, perRow));
        const slower = {
          latency: link.latency * worse,
          bytesPerSecond: link.bytesPerSecond / worse,
          overhead: link.overhead * worse,
        };
        for (const measure of [prefillSpeed, decodeSpeed]) {
          const fast = await measure(ring(parts, link), SETTINGS);
          const slow = await measure(ring(parts, slower), SETTINGS);
          assert.ok(slow.tokensPerSecond <= fast.tokensPerSecond * (1 + 1e-9));
        }
      }),
      FEW,
    );
  });

  test("gives the same run every time", async () => {
    const spec = ring([stage(0.01, 0.002, 0.001), stage(0.012, 0.001)], {
      latency: 0.003,
      bytesPerSecond: 1e7,
      overhead: 1e-4,
    });
    const run = (): Promise<unknown> =>
      new ScheduledRun(spec, { ubatch: 64, slots: 3, contextSize: 400 }).answer([
        { promptTokens: 300, answerTokens: 20 },
        { promptTokens: 5, answerTokens: 50 },
        { promptTokens: 5, answerTokens: 50 },
        { promptTokens: 90, answerTokens: 10 },
      ]);
    assert.deepEqual(await run(), await run());
  });

  test("on one processor for all its stages is one node", async () => {
    const parts = [stage(0.01, 0.001), stage(0.01, 0.001)];
    const shared = { ...ring(parts), processors: [0, 0] };
    near((await decodeSpeed(shared, SETTINGS)).tokensPerSecond, 1 / 0.022);
    const alone = await prefillSpeed(ring([stage(0.02, 0.002)]), SETTINGS);
    near((await prefillSpeed(shared, SETTINGS)).firstSeconds, alone.firstSeconds);
  });
});

describe("llama.cpp's RPC servers in lock-step", () => {
  const parts = (nodes: number) => new Array<StageCost>(nodes).fill(stage(0, 1e-3));
  const chunk = SETTINGS.ubatch * 1e-3;

  test("without overheads: (M·(N − 1) + 1)·T for a prompt, the sum of the stages for a token", () => {
    for (const nodes of [2, 3, 4]) {
      const rpc = lockStep(ring(parts(nodes)), 0);
      near(SETTINGS.promptTokens / rpc.prefill(SETTINGS), (8 * (nodes - 1) + 1) * chunk);
      near(rpc.decode(1, SETTINGS), 1 / (nodes * 1e-3));
      near(rpc.decode(4, SETTINGS), 4 / (nodes * 4e-3), 1e-6);
    }
    near(SETTINGS.promptTokens / lockStep(ring(parts(1)), 0).prefill(SETTINGS), 8 * chunk);
  });

  test("each server costs a way there and a way back", () => {
    const link = { ...NO_LINK, latency: 0.01 };
    for (const servers of [2, 3, 4]) {
      const seconds = 1 / lockStep(ring(parts(servers), link), 32_000).decode(1, SETTINGS);
      near(seconds, servers * (1e-3 + 0.02));
    }
  });
});
