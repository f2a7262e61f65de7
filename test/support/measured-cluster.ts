import fc from "fast-check";
import { modelCost } from "../../src/planning/cost.js";
import type { PlacementRequest } from "../../src/planning/placement.js";
import { makeProblem } from "../../src/planning/ring/make-problem.js";
import type { RingProblem, RingStage } from "../../src/planning/ring/ring-problem.js";
import type { LinkSpeed, ModelSpeed, Speeds } from "../../src/planning/speeds.js";
import { MIB, modelOf, NEEDS, nodeOf } from "../unit/planning-models.js";

/** Milliseconds of one layer for one row, and of the output head. A pass of 64 rows takes eight times as long. */
export function speedOf(layers: number, perLayer: number, output = perLayer, perPass = 0.1): ModelSpeed {
  const passes = (milliseconds: number) => [
    { rows: 1, seconds: milliseconds / 1000 },
    { rows: 64, seconds: (milliseconds * 8) / 1000 },
  ];
  return {
    kinds: [
      {
        passes: passes(perLayer),
        perCachedToken: (perLayer / 1000) * 1e-4,
        perCachedTokenOfMany: (perLayer / 1000) * 1e-4,
      },
    ],
    kindOfLayer: new Array<number>(layers).fill(0),
    output: passes(output),
    perPass: perPass / 1000,
  };
}

/** A way there and the way back, alike. Milliseconds, MB per second. */
export function bothWays(a: string, b: string, milliseconds: number, megabytes = 100): readonly LinkSpeed[] {
  const link = { seconds: milliseconds / 1000, bytesPerSecond: megabytes * 1e6 };
  return [
    { from: a, to: b, ...link },
    { from: b, to: a, ...link },
  ];
}

export function speedsOf(nodes: Readonly<Record<string, ModelSpeed>>, links: readonly LinkSpeed[] = []): Speeds {
  return { nodes: new Map(Object.entries(nodes)), links };
}

interface Shape {
  readonly layers: number;
  readonly nodes: number;
}

/** Requests with everything measured: unlike layers, unlike nodes, some too small for much, links of any kind. */
export function measuredRequests({ layers, nodes }: Shape): fc.Arbitrary<PlacementRequest & { speeds: Speeds }> {
  const milliseconds = (most: number) => fc.integer({ min: 1, max: most * 100 }).map((value) => value / 100);
  const node = fc.record({
    room: fc.integer({ min: 10, max: 500 }),
    layer: milliseconds(20),
    output: milliseconds(30),
  });
  const link = fc.record({ seconds: milliseconds(10), megabytes: fc.integer({ min: 1, max: 1000 }) });
  return fc
    .record({
      bytes: fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: layers }),
      nodes: fc.array(node, { minLength: 1, maxLength: nodes }),
      links: fc.array(link, { minLength: nodes * nodes, maxLength: nodes * nodes }),
      uncut: fc.array(fc.nat(layers), { maxLength: 2 }),
      slots: fc.integer({ min: 1, max: 5 }),
    })
    .map(({ bytes, nodes: found, links, uncut, slots }) => {
      const info = modelOf(bytes.map((size) => size * MIB));
      const names = found.map((_, index) => `n${index}`);
      const allowed = info.cuts.allowed.map((_, layer) => layer === 0 || !uncut.includes(layer));
      return {
        model: "m",
        info: { ...info, cuts: { ...info.cuts, allowed } },
        topology: { nodes: found.map(({ room }, index) => nodeOf(`n${index}`, room * MIB)) },
        needs: { ...NEEDS, slots },
        speeds: speedsOf(
          Object.fromEntries(
            found.map(({ layer, output }, index) => [`n${index}`, speedOf(bytes.length, layer, output)]),
          ),
          names.flatMap((from, row) =>
            names.map((to, column) => {
              const { seconds = 1, megabytes = 1 } = links[row * nodes + column] ?? {};
              return { from, to, seconds: seconds / 1000, bytesPerSecond: megabytes * 1e6 };
            }),
          ),
        ),
      };
    });
}

export function problemOf(request: PlacementRequest & { speeds: Speeds }, minStages = 1): RingProblem {
  const { info, needs, topology, speeds } = request;
  return makeProblem({
    cost: modelCost(info, needs),
    cuts: info.cuts,
    nodes: topology.nodes,
    speeds,
    wireType: "f32",
    cachedTokens: 256,
    requestRows: 1,
    minStages,
    head: request.head ?? null,
  });
}

/** Every order of some of the nodes with every cut that memory and model allow. */
export function* allRings(problem: RingProblem): Generator<readonly RingStage[]> {
  const count = problem.nodes.length;
  for (const order of allOrders(Array.from({ length: count }, (_, node) => node))) {
    if (order.length >= problem.minStages) yield* allCuts(problem, order, 0);
  }
}

function* allOrders(nodes: readonly number[]): Generator<readonly number[]> {
  for (const node of nodes) {
    yield [node];
    for (const rest of allOrders(nodes.filter((other) => other !== node))) yield [node, ...rest];
  }
}

function* allCuts(
  problem: RingProblem,
  [node, ...rest]: readonly number[],
  begin: number,
): Generator<readonly RingStage[]> {
  if (node === undefined) return;
  const { layerCount, nodes, mayBegin } = problem;
  for (let end = begin + 1; end <= layerCount; end++) {
    const held = nodes[node];
    const fits = begin === 0 ? held?.canHead[end] === true : begin >= (held?.earliest[end] ?? end);
    if (!fits) continue;
    const stage = { node, begin, end };
    if (rest.length === 0 && end === layerCount) yield [stage];
    if (rest.length === 0 || end === layerCount || mayBegin[end] !== true) continue;
    for (const others of allCuts(problem, rest, end)) yield [stage, ...others];
  }
}
