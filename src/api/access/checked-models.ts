import type { InferenceService } from "../../core/inference.js";
import type { ModelPaths } from "../../model/model-paths.js";
import type { ModelLibrary, PlanningService, RingControl } from "../ports.js";

type Paths = Pick<ModelPaths, "check">;

/** Only of models that may be named from here. */
export function checkedRings(rings: RingControl, paths: Paths): RingControl {
  return {
    load: async (model, options) => {
      await paths.check(model);
      return rings.load(model, options);
    },
    whenReady: (model, signal) => rings.whenReady(model, signal),
    unload: (ringId) => rings.unload(ringId),
  };
}

export function checkedPlanner(planner: PlanningService, paths: Paths): PlanningService {
  return {
    plan: async (question, signal) => {
      for (const model of [question.model, question.draftModel]) if (model !== null) await paths.check(model);
      return planner.plan(question, signal);
    },
    estimate: async (question, signal) => {
      if (typeof question.model === "string") await paths.check(question.model);
      return planner.estimate(question, signal);
    },
  };
}

export function checkedLibrary(library: ModelLibrary, paths: Paths): ModelLibrary {
  return {
    describe: (name) => library.describe(name),
    resolve: async (name, options) => {
      await paths.check(name);
      return library.resolve(name, options);
    },
    remove: (name) => library.remove(name),
  };
}

/** Where a request has any model loaded by naming it. */
export function checkedInference(inference: InferenceService, paths: Paths): InferenceService {
  const checked = async <Value>(model: string, work: () => Promise<Value>): Promise<Value> => {
    await check(paths, model);
    return work();
  };
  return {
    generate: async function* (request, signal) {
      await check(paths, request.model);
      yield* inference.generate(request, signal);
    },
    embed: (request, signal) => checked(request.model, () => inference.embed(request, signal)),
    tokenize: (request, signal) => checked(request.model, () => inference.tokenize(request, signal)),
    detokenize: (model, tokens, signal) => checked(model, () => inference.detokenize(model, tokens, signal)),
    applyTemplate: (model, prompt, signal) => checked(model, () => inference.applyTemplate(model, prompt, signal)),
  };
}

/** A mere name, of whatever form, is looked up among what is known. */
async function check(paths: Paths, model: string): Promise<void> {
  if (/[/\\]|\.gguf$/i.test(model)) await paths.check(model);
}
