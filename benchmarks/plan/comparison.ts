import type { FreshNodes } from "./fresh-nodes.js";
import { placements } from "./placements.js";

/** A placement, with tokens per second of one stream. */
export interface Tried {
  readonly layers: string;
  readonly isPlanned: boolean;
  /** By what was measured before any of them was loaded. */
  readonly predicted: number | null;
  /** Just before this one was loaded, with what the rings before it had shown. */
  readonly predictedLater: number | null;
  /** The best of all rounds; `null` where none succeeded, for the reason. */
  readonly measured: number | null;
  readonly failure: string | null;
}

export interface ComparisonOptions {
  /** As `--layers` has it. */
  readonly planned: string;
  /** Of the model. */
  readonly layers: number;
  /** Cuts are tried after every so many layers. */
  readonly step: number;
  /** Answers of each ring. */
  readonly rounds: number;
  readonly onTried: (tried: Tried) => void;
}

/** So many that did best are loaded once more at the end, with the planner's choice: the machine is not the same all the time. */
const AGAIN = 2;

/** The planner's choice and others to compare it with, with what is predicted of each as long as none has been loaded. */
export async function foresee(
  nodes: FreshNodes,
  { planned, layers, step }: Pick<ComparisonOptions, "planned" | "layers" | "step">,
): Promise<ReadonlyMap<string, number | null>> {
  const others = await nodes.use(async (now) => placements(now.nodes, layers, step));
  const foreseen = new Map<string, number | null>();
  for (const placement of [planned, ...others]) foreseen.set(placement, await predicted(nodes, placement));
  return foreseen;
}

/** Measures the planner's choice and others. One that fails is told as failed, and the others go on. */
export async function compare(
  nodes: FreshNodes,
  foreseen: ReadonlyMap<string, number | null>,
  { planned, rounds, onTried }: Pick<ComparisonOptions, "planned" | "rounds" | "onTried">,
): Promise<readonly Tried[]> {
  const tried: Tried[] = [];
  for (const [layers, early] of foreseen) {
    const one: Tried = {
      layers,
      isPlanned: layers === planned,
      predicted: early,
      predictedLater: await predicted(nodes, layers),
      ...(await measured(nodes, layers, rounds)),
    };
    tried.push(one);
    onTried(one);
  }
  return onceMore(nodes, tried, rounds);
}

/** The planner's choice and the best of the others, each with the better of its two measurements. */
async function onceMore(nodes: FreshNodes, tried: readonly Tried[], rounds: number): Promise<readonly Tried[]> {
  const others = tried.filter(({ isPlanned }) => !isPlanned);
  const best = others.toSorted((a, b) => (b.measured ?? 0) - (a.measured ?? 0)).slice(0, AGAIN);
  const all: Tried[] = [];
  for (const one of tried) {
    if (!one.isPlanned && !best.includes(one)) {
      all.push(one);
      continue;
    }
    const again = await measured(nodes, one.layers, rounds);
    const rates = [one.measured, again.measured].filter((rate) => rate !== null);
    all.push({ ...one, measured: rates.length === 0 ? null : Math.max(...rates) });
  }
  return all;
}

async function predicted(nodes: FreshNodes, layers: string): Promise<number | null> {
  return nodes
    .use((now) => now.plan(layers))
    .then(
      ({ decodeTokensPerSecond }) => decodeTokensPerSecond,
      () => null,
    );
}

async function measured(
  nodes: FreshNodes,
  layers: string,
  rounds: number,
): Promise<Pick<Tried, "measured" | "failure">> {
  try {
    return { measured: await nodes.use((now) => now.measureDecode(layers, rounds)), failure: null };
  } catch (thrown) {
    return { measured: null, failure: messageOf(thrown) };
  }
}

/** In one line, for a table. */
export function messageOf(thrown: unknown): string {
  const text = thrown instanceof Error ? thrown.message : String(thrown);
  return text.split("\n", 1)[0]?.replaceAll("|", "/").slice(0, 200) ?? "";
}
