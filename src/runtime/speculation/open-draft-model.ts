import type { RingSettings } from "../../cluster/ring-settings.js";
import { ExoError } from "../../core/errors.js";
import type { Clock, Logger } from "../../core/ports.js";
import { type LoadHooks, Stage } from "../../native/stage.js";
import { type ComputeSettings, stageOptions } from "../stage-settings.js";
import type { StageWatchdog } from "../stage-watchdog.js";
import { DraftModel } from "./draft-model.js";
import type { DraftModelFile } from "./settings.js";
import { checkSameVocabulary } from "./vocabulary.js";

export interface OpenDraftModelOptions {
  readonly file: DraftModelFile;
  /** The model drafted for, where its output head is. */
  readonly target: Stage;
  readonly ring: RingSettings;
  /** The target is on this node alone; in a longer ring other stages compute between the draft model's graphs. */
  readonly wholeTarget: boolean;
  readonly compute: ComputeSettings;
  readonly watchdog: StageWatchdog;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Below it most drafted tokens are wrong. */
const LEAST_PROBABILITY = 0.3;

/** Loads a draft model whole, beside the head. Rejects when it cannot draft for the target; nothing stays behind. */
export async function openDraftModel(options: OpenDraftModelOptions, { signal }: LoadHooks): Promise<DraftModel> {
  const { file, target, ring, wholeTarget, compute, watchdog, clock, logger } = options;
  const stage = await Stage.load(
    {
      ...stageOptions(ring, compute),
      modelPath: file.path,
      layerBegin: 0,
      layerEnd: file.info.layerCount,
      hasOutput: true,
      // The threads of a target that is whole are awake too, and the same.
      keepAwake: wholeTarget,
    },
    signal === undefined ? {} : { signal },
  );
  try {
    if (!stage.info.canTrim) {
      throw new ExoError(
        "unsupported",
        `The draft model ${file.id} cannot forget rejected tokens, for it keeps a recurrent state; choose another --draft-model.`,
        { param: "--draft-model" },
      );
    }
    await checkSameVocabulary(target, stage);
    const { vocabularySize } = target.info;
    return await DraftModel.open({
      stage,
      computing: watchdog.watch(stage, `the draft model ${file.id}`),
      batchSize: ring.batchSize,
      vocabularySize,
      leastProbability: LEAST_PROBABILITY,
      clock,
      logger,
    });
  } catch (thrown) {
    await stage.close();
    throw thrown;
  }
}
