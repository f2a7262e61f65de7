import type { PlacementProgress } from "../../cluster/placement-progress.js";
import type { Paint } from "./paint.js";
import { type BarState, drawBar } from "./progress-bar.js";
import { ProgressRate } from "./progress-rate.js";
import type { StatusScreen } from "./status-screen.js";
import { ToldRarely } from "./told-rarely.js";

type StageProgress = PlacementProgress["stages"][number];

const LONGEST_NAME = 28;

const PHASES: Readonly<Record<string, string>> = { fetch: "fetching", load: "loading" };

/** Shows how a model gets into memory: a bar per stage on a terminal, a line now and then elsewhere. */
export class PlacementDisplay {
  readonly #screen: StatusScreen;
  readonly #paint: Paint;
  readonly #tell: (line: string) => void;
  readonly #now: () => number;
  readonly #rates = new Map<string, ProgressRate>();
  readonly #told: ToldRarely;

  constructor(options: {
    readonly screen: StatusScreen;
    readonly paint: Paint;
    /** Takes the lines where no bars can be drawn. */
    readonly tell: (line: string) => void;
    readonly now: () => number;
  }) {
    this.#screen = options.screen;
    this.#paint = options.paint;
    this.#tell = options.tell;
    this.#now = options.now;
    this.#told = new ToldRarely(options.now);
  }

  update(progress: PlacementProgress): void {
    if (!this.#screen.interactive) {
      this.#tellSteps(progress);
    } else if (progress.state === "ready" || progress.state === "failed") {
      this.#screen.clear();
    } else {
      this.#screen.show(this.#lines(progress));
    }
  }

  #lines({ model, state, reason, stages }: PlacementProgress): readonly string[] {
    const wait = reason === null ? "" : `: ${reason}`;
    const title = `  ${model} ${state}${wait}`.slice(0, this.#screen.width - 1);
    const label = labeller(stages);
    return [title, ...stages.map((stage) => this.#bar(stage, label(stage)))];
  }

  #bar(stage: StageProgress, label: string): string {
    const key = `${stage.nodeName} ${stage.layerBegin} ${stage.phase}`;
    const rate = this.#rates.get(key) ?? new ProgressRate(this.#now);
    this.#rates.set(key, rate);
    const running = stage.phase in PHASES;
    const state = {
      label: `${label}  ${(PHASES[stage.phase] ?? stage.phase).padEnd(8)}`,
      fraction: stage.phase === "loaded" ? 1 : stage.progress,
      ...this.#pace(stage, running ? rate.update(stage.progress) : null),
      ...(running ? {} : { note: "" }),
    };
    return drawBar(state, this.#screen.width, this.#paint);
  }

  /** In bytes where it is known how many they are. */
  #pace(
    { progress, plannedWeights = 0 }: StageProgress,
    perSecond: number | null,
  ): Pick<BarState, "bytes" | "perSecond"> {
    if (plannedWeights === 0) return { perSecond };
    const bytes = { done: progress * plannedWeights, total: plannedWeights };
    return { bytes, perSecond: perSecond === null ? null : perSecond * plannedWeights };
  }

  #tellSteps({ model, state, reason, stages }: PlacementProgress): void {
    // The node logs it with its code.
    if (state === "failed") return;
    this.#tellNow("state", reason === null ? `${model} ${state}` : `${model} ${state}: ${reason}`, "");
    for (const { nodeName, layerBegin, layerEnd, phase, progress } of stages) {
      const layers = layerEnd > 0 ? ` [${layerBegin}, ${layerEnd})` : "";
      const percent = phase in PHASES && progress > 0 ? ` ${Math.floor(progress * 100)} %` : "";
      this.#tellNow(`${nodeName} ${layerBegin}`, `${nodeName}${layers} ${PHASES[phase] ?? phase}`, percent);
    }
  }

  #tellNow(key: string, line: string, percent: string): void {
    if (this.#told.isDue(key, line, percent !== "")) this.#tell(line + percent);
  }
}

/** Names and ranges in columns. */
function labeller(stages: readonly StageProgress[]): (stage: StageProgress) => string {
  const name = (stage: StageProgress) => stage.nodeName.slice(0, LONGEST_NAME);
  const range = ({ layerBegin, layerEnd }: StageProgress) => (layerEnd > 0 ? `[${layerBegin}, ${layerEnd})` : "");
  const nameWidth = Math.max(0, ...stages.map((stage) => name(stage).length));
  const rangeWidth = Math.max(0, ...stages.map((stage) => range(stage).length));
  return (stage) => `${name(stage).padEnd(nameWidth)}  ${range(stage).padEnd(rangeWidth)}`;
}
