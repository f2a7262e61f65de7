import { readFile } from "node:fs/promises";
import { basename, dirname } from "node:path";
import type { Config } from "../../config/config.js";
import { ExoError } from "../../core/errors.js";
import { listDevices } from "../../native/devices.js";
import { planStageMemory } from "../../native/memory-plan.js";
import { chooseDevices } from "../../runtime/compute-devices.js";
import { readConfig } from "../config-flags.js";
import { UsageError } from "../failure.js";
import { openModelStore } from "../model-store.js";
import type { ReadEstimate } from "../node-client/planning-documents.js";
import { findPlanning } from "../planning/planning-service.js";
import { type CliIo, widthOf } from "../terminal/cli-io.js";
import { drawEstimate } from "../terminal/estimate-picture.js";
import { paintFor } from "../terminal/paint.js";
import { modelArgument, untilStopped } from "./plan.js";

type Options = Readonly<Record<string, unknown>>;

/** Says what a model takes, whether that is here, and what to change if it is not. */
export async function estimate(model: string, options: Options, io: CliIo): Promise<void> {
  // Here --memory names machines to ask about; as a setting it is the cap of a node.
  const config = await readConfig({ ...options, memory: undefined }, io);
  const given = <Value>(key: string, value: Value): Value | null => (options[key] === undefined ? null : value);
  const question = {
    ...(await modelOf(model, options.quant)),
    context_size: given("ctx", config.ctx),
    slots: given("slots", config.slots),
    kv: given("kv", config.kv),
    kv_v: given("kvV", config.kvV),
    memory: typeof options.memory === "string" ? options.memory.split(",") : null,
    link: typeof options.link === "string" ? linkOf(options.link) : null,
  };
  const planning = await findPlanning(config, options.url, io);
  const answer = await untilStopped(io, async (signal) => {
    const found = await planning.estimate(question, signal);
    return options.exact === true ? { ...found, accounted: await accountedFor(model, found, config, io) } : found;
  });
  io.stdout.write(
    options.json === true
      ? `${JSON.stringify(answer, null, 2)}\n`
      : `${drawEstimate(answer, widthOf(io.stdout), paintFor(io.stdout, io.env))}\n`,
  );
}

/** What llama.cpp's loader would allocate for the whole model on this machine. */
async function accountedFor(model: string, found: ReadEstimate, config: Config, io: CliIo) {
  if (model.endsWith(".json")) throw new UsageError("--exact asks llama.cpp about a file, and a config.json is none.");
  const { path, info } = await openModelStore(config, io).header(model);
  const { weights, kvCache, compute } = planStageMemory({
    modelPath: path,
    layerBegin: 0,
    layerEnd: info.layerCount,
    hasOutput: true,
    contextSize: found.context_size,
    maxSequences: found.slots,
    batchSize: config.ubatch,
    kvTypeK: found.kv,
    kvTypeV: found.kv_v,
    flashAttention: config.flashAttention,
    devices: chooseDevices(config.device, listDevices()),
  });
  return { weights, kv_cache: kvCache, compute, total: weights + kvCache + compute };
}

/** A `config.json` describes a model by its shape alone. */
async function modelOf(model: string, quantisation: unknown): Promise<object> {
  if (!model.endsWith(".json")) {
    if (quantisation !== undefined) {
      throw new UsageError("--quant says how a shape would be stored, so it needs a config.json as the model.");
    }
    return { model: modelArgument(model) };
  }
  const name = basename(model) === "config.json" ? basename(dirname(modelArgument(model))) : basename(model, ".json");
  return { model: name, shape: await readShape(model), quantisation: quantisation ?? null };
}

async function readShape(path: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(path, "utf8"));
  } catch (thrown) {
    const why = thrown instanceof Error ? thrown.message : String(thrown);
    throw new ExoError("invalid_argument", `Cannot read ${path} as a model's config.json: ${why}.`, { cause: thrown });
  }
}

/** `0.5ms,100MB`: one way for a small message, and bytes per second. */
function linkOf(text: string): object {
  const match = /^(\d+(?:\.\d+)?)ms,(\d+(?:\.\d+)?)MB$/i.exec(text.replaceAll(" ", ""));
  const [seconds, bytes] = [Number(match?.[1]) / 1000, Number(match?.[2]) * 1e6];
  if (match === null || !(bytes > 0)) {
    throw new UsageError(`Expected a delay and a speed such as "0.5ms,100MB" for --link, received "${text}".`);
  }
  return { seconds, bytes_per_second: bytes };
}
