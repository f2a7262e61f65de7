import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { formatLayerAssignments } from "../../config/layer-assignment.js";
import { readConfig } from "../config-flags.js";
import { EXIT } from "../failure.js";
import { findPlanning } from "../planning/planning-service.js";
import { StopRequest } from "../stop-request.js";
import { type CliIo, widthOf } from "../terminal/cli-io.js";
import { paintFor } from "../terminal/paint.js";
import { drawPlan } from "../terminal/plan-picture.js";

type Options = Readonly<Record<string, unknown>>;

/** Says where a model would be placed and how it would do, without loading it. */
export async function plan(model: string, options: Options, io: CliIo): Promise<void> {
  const config = await readConfig(options, io);
  const given = <Value>(key: string, value: Value): Value | null => (options[key] === undefined ? null : value);
  const question = {
    model: modelArgument(model),
    strategy: given("strategy", config.strategy),
    context_size: given("ctx", config.ctx),
    slots: given("slots", config.slots),
    min_nodes: given("minNodes", config.minNodes),
    layers: given("layers", config.layers === null ? null : formatLayerAssignments(config.layers)),
    draft_model: given("draftModel", config.draftModel),
    head: given("head", options.head),
  };
  const planning = await findPlanning(config, options.url, io);
  const answer = await untilStopped(io, (signal) => planning.plan(question, signal));
  io.stdout.write(
    options.json === true
      ? `${JSON.stringify(answer, null, 2)}\n`
      : `${drawPlan(answer, widthOf(io.stdout), paintFor(io.stdout, io.env))}\n`,
  );
}

/** A file is named by its whole path, for the node that is asked may run in another directory. */
export function modelArgument(model: string): string {
  return existsSync(model) ? resolve(model) : model;
}

export async function untilStopped<Result>(io: CliIo, work: (signal: AbortSignal) => Promise<Result>): Promise<Result> {
  const stop = new StopRequest(process, io.now, () => process.exit(EXIT.failed));
  try {
    return await work(stop.signal);
  } finally {
    stop.release();
  }
}
