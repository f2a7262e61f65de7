import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { DEVICES } from "../../benchmarks/simulate/devices.js";
import { EventQueue } from "../../benchmarks/simulate/event-queue.js";
import { Link } from "../../benchmarks/simulate/link.js";
import { interpolated } from "../../benchmarks/simulate/measured-node.js";
import { MODELS } from "../../benchmarks/simulate/models.js";
import { Processor } from "../../benchmarks/simulate/processor.js";
import { deviceRates, expertsMet, rooflineCost, weightsOf } from "../../benchmarks/simulate/roofline.js";
import { balancedLayers } from "../../benchmarks/simulate/split.js";
import { VirtualTime } from "../../benchmarks/simulate/virtual-time.js";

function near(actual: number, expected: number, part = 1e-9): void {
  assert.ok(Math.abs(actual - expected) <= Math.abs(expected) * part + 1e-12, `${actual} is not ${expected}`);
}

describe("events", () => {
  test("happen by time, and by order of arrival at the same time, whatever the order in which they come", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 20 })), (times) => {
        const queue = new EventQueue();
        const happened: number[] = [];
        for (const [index, at] of times.entries()) queue.add(at, () => happened.push(index));
        assert.equal(queue.size, times.length);
        for (let event = queue.take(); event !== null; event = queue.take()) event.happen();
        const expected = times.map((_, index) => index).sort((a, b) => (times[a] ?? 0) - (times[b] ?? 0) || a - b);
        assert.deepEqual(happened, expected);
      }),
    );
  });

  test("taken out while others are added stay in order", () => {
    fc.assert(
      fc.property(fc.array(fc.option(fc.integer({ min: 0, max: 9 }), { freq: 2 })), (steps) => {
        const queue = new EventQueue();
        let now = 0;
        for (const step of steps) {
          if (step !== null) {
            queue.add(now + step, () => {});
            continue;
          }
          const event = queue.take();
          if (event === null) continue;
          assert.ok(event.at >= now);
          now = event.at;
        }
      }),
    );
  });
});

describe("virtual time", () => {
  test("passes only from event to event, and promises take part", async () => {
    const time = new VirtualTime();
    const work = async (): Promise<number[]> => {
      const seen = [time.now];
      await time.pass(3600);
      seen.push(time.now);
      await Promise.all([time.pass(2), time.pass(1)]);
      seen.push(time.now);
      return seen;
    };
    assert.deepEqual(await time.run(work()), [0, 3600, 3602]);
    assert.equal(time.clock.monotonic(), 3_602_000);
  });

  test("refuses to go back, and says when nothing is left to happen", async () => {
    const time = new VirtualTime();
    for (const seconds of [-1, Number.NaN]) assert.throws(() => time.after(seconds, () => {}), RangeError);
    await assert.rejects(time.run(new Promise(() => {})), /Nothing is left to happen/);
    await assert.rejects(time.run(Promise.reject(new Error("inside"))), /inside/);
  });
});

describe("a processor", () => {
  test("does a lane's work in order and shares itself between lanes", async () => {
    const time = new VirtualTime();
    const processor = new Processor(time);
    const ended: [string, number][] = [];
    const job = async (lane: string, name: string, seconds: number): Promise<void> => {
      await processor.compute(lane, seconds);
      ended.push([name, time.now]);
    };
    await time.run(Promise.all([job("a", "a1", 4), job("a", "a2", 1), job("b", "b1", 1)]));
    // Both lanes run at half speed until b1 is done at 2; a1 has 3 left then.
    assert.deepEqual(ended, [
      ["b1", 2],
      ["a1", 5],
      ["a2", 6],
    ]);
    assert.equal(processor.busySeconds, 6);
  });

  test("has done all its work when it is done, however it is shared", async () => {
    const job = fc.record({
      lane: fc.constantFrom("a", "b", "c"),
      at: fc.double({ min: 0, max: 5, noNaN: true }),
      seconds: fc.double({ min: 0, max: 3, noNaN: true }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(job, { minLength: 1, maxLength: 12 }), async (jobs) => {
        const time = new VirtualTime();
        const processor = new Processor(time);
        const run = async ({ lane, at, seconds }: (typeof jobs)[number]): Promise<void> => {
          await time.pass(at);
          await processor.compute(lane, seconds);
          assert.ok(time.now >= at + seconds - 1e-9);
        };
        await time.run(Promise.all(jobs.map(run)));
        near(
          processor.busySeconds,
          jobs.reduce((sum, { seconds }) => sum + seconds, 0),
          1e-6,
        );
      }),
    );
  });
});

describe("a link", () => {
  test("lets frames through its narrow part one after the other, and all of them travel", async () => {
    const time = new VirtualTime();
    const link = new Link(time, { latency: 10, bytesPerSecond: 100, overhead: 1 });
    const arrived: number[] = [];
    const carry = async (bytes: number): Promise<void> => {
      await link.carry(bytes);
      arrived.push(time.now);
    };
    await time.run(Promise.all([carry(200), carry(100)]));
    assert.deepEqual(arrived, [13, 14]);
  });
});

describe("what devices and models cost", () => {
  test("both measurements of a device come out of its rates", () => {
    for (const device of DEVICES) {
      const { bytesPerSecond, flopsPerSecond } = deviceRates(device);
      const seconds = ({ bytes, parameters }: { bytes: number; parameters: number }, rows: number): number =>
        bytes / bytesPerSecond + (2 * parameters * rows) / flopsPerSecond;
      near(1 / seconds(device.decode.model, 1), device.decode.tokensPerSecond);
      near(512 / seconds(device.prefill.model, 512), device.prefill.tokensPerSecond);
      assert.ok(bytesPerSecond > 0 && flopsPerSecond > 0, device.name);
    }
  });

  test("a model's parts add up, and so do its layers on a device", () => {
    const work = { rows: 1, attended: 100, cached: 100 };
    for (const model of MODELS) {
      const { output, dense, experts } = weightsOf(model);
      assert.ok(output > 0 && dense > 0 && experts >= 0, model.name);
      near(output + model.layers * (dense + experts), model.parameters);
      const part = model.experts === null ? 0 : model.experts.used / model.experts.count;
      near(output + model.layers * (dense + experts * part), model.activeParameters);
      for (const device of DEVICES) {
        const one = rooflineCost(device, model, 1).layers(work);
        near(rooflineCost(device, model, model.layers).layers(work), one * model.layers, 1e-6);
      }
    }
  });

  test("more rows meet more experts, never more than all", () => {
    const experts = { count: 128, used: 8 };
    near(expertsMet(experts, 1), 8 / 128);
    assert.ok(expertsMet(experts, 8) > 0.4 && expertsMet(experts, 8) < 0.5);
    near(expertsMet(experts, 10_000), 1);
  });

  test("layers are dealt out so that no node waits long for another", () => {
    const device = fc.constantFrom(...DEVICES);
    fc.assert(
      fc.property(fc.constantFrom(...MODELS), fc.array(device, { minLength: 1, maxLength: 12 }), (model, devices) => {
        const layers = balancedLayers(model, devices);
        assert.equal(
          layers.reduce((sum, count) => sum + count, 0),
          model.layers,
        );
        for (const count of layers) assert.ok(count >= 1);
      }),
    );
    const [model, one] = [MODELS[0], DEVICES[0]];
    assert.ok(model !== undefined && one !== undefined);
    assert.throws(() => balancedLayers(model, new Array(model.layers + 1).fill(one)), /too few for 23 nodes/);
  });

  test("a measured curve is read between its points and goes on beyond them", () => {
    const points = [
      [1, 10],
      [4, 16],
      [8, 32],
    ] as const;
    assert.deepEqual(
      [1, 2, 4, 6, 8, 10].map((rows) => interpolated(points, rows)),
      [10, 12, 16, 24, 32, 40],
    );
    assert.equal(interpolated([[1, 10]], 5), 10);
  });
});
