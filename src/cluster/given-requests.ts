import type { Settings } from "../config/config.js";
import { canonicalSpec } from "./known-models.js";
import { type ModelRequest, modelRequest, type RequestSettings } from "./model-request.js";

/** The models that a node was started with, the first one as its other settings say. */
export function givenRequests(
  settings: RequestSettings & Pick<Settings, "model" | "pin" | "layers">,
  nodeId: string,
): readonly ModelRequest[] {
  const { model, pin, layers } = settings;
  const kept = { pinned: true, preferredHead: nodeId };
  const first = model === null ? null : canonicalSpec(model);
  const others = [...new Set(pin.map(canonicalSpec))].filter((spec) => spec !== first);
  return [
    ...(first === null ? [] : [modelRequest(first, settings, { ...kept, layers })]),
    ...others.map((spec) => modelRequest(spec, settings, kept)),
  ];
}
