import { fractionOf, type ModelProgress } from "../model/progress.js";
import type { LoadedHead } from "./head-port.js";
import type { PlaceableModel } from "./model-source.js";
import type { PlacedModelOptions } from "./placed-model-options.js";
import { cardOf, unplannedStageRecord } from "./ring-record.js";
import type { RingReport } from "./ring-report.js";

/** Reads what a model is, and tells it. Rejects as `ModelSource.header` does. */
export async function readHeader(
  { models, request, self }: Pick<PlacedModelOptions<LoadedHead>, "models" | "request" | "self">,
  report: RingReport,
  signal: AbortSignal,
): Promise<PlaceableModel> {
  report.update({ state: "loading", reason: null, stages: [unplannedStageRecord(self)] });
  const onProgress = (progress: ModelProgress): void => report.progress(0, "fetch", fractionOf(progress));
  const model = await models.header(request.spec, { signal, onProgress });
  report.update({ model: model.id, spec: model.spec, layerCount: model.info.layerCount, card: cardOf(model) });
  return model;
}
