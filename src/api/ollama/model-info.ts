import type { SamplingOptions } from "../../core/inference.js";
import type { GgufValue } from "../../model/gguf-header.js";
import type { ModelDescription } from "../../model/model-descriptions.js";
import { capabilitiesOf } from "../../model/text-kind.js";
import type { ModelCard } from "../ports.js";
import { detailsJson } from "./model-details.js";
import { taggedName } from "./names.js";

/** The answer of `POST /api/show`. */
export function modelInfoJson(card: ModelCard, description: ModelDescription | null) {
  const template = templateOf(description);
  const info: Record<string, unknown> = description === null ? known(card) : metadataJson(description);
  return {
    modelfile: `FROM ${taggedName(card.id)}\n`,
    parameters: parametersOf(card, description?.defaults ?? {}),
    template,
    license: licenceOf(description),
    details: detailsJson(card, description),
    model_info: info,
    capabilities: abilitiesOf(
      description === null ? (card.capabilities ?? null) : capabilitiesOf(description.info),
      template,
    ),
    modified_at: (description?.modified ?? new Date(card.created * 1000)).toISOString(),
  };
}

/** What a ring tells of its model, where its files are not here. */
function known({ architecture, parameterCount, contextTrained, embeddingSize }: ModelCard) {
  if (!architecture) return {};
  return {
    "general.architecture": architecture,
    "general.parameter_count": parameterCount ?? null,
    [`${architecture}.context_length`]: contextTrained ?? null,
    [`${architecture}.embedding_length`]: embeddingSize ?? null,
  };
}

const TEMPLATE = "tokenizer.chat_template";

/** The header's own keys. Lists of the tokenizer are too long to be of use to anybody. */
function metadataJson({ info, metadata }: ModelDescription): Record<string, unknown> {
  const entries = [...metadata].filter(([key]) => key !== TEMPLATE).map(([key, value]) => [key, valueJson(key, value)]);
  return { ...Object.fromEntries(entries), "general.parameter_count": info.parameterCount };
}

function valueJson(key: string, value: GgufValue): unknown {
  if (typeof value !== "object") return value;
  return key.startsWith("tokenizer.") ? null : value.values;
}

/** Jinja, as the file has it; Ollama's own are Go templates. */
function templateOf(description: ModelDescription | null): string {
  const template = description?.metadata.get(TEMPLATE);
  return typeof template === "string" ? template : "";
}

function licenceOf(description: ModelDescription | null): string {
  const named = description?.metadata.get("general.license");
  return description?.licence ?? (typeof named === "string" ? named : "");
}

/** Ollama calls only those models embedding models that do nothing else. Templates name what they can do. */
function abilitiesOf(capabilities: readonly string[] | null, template: string): readonly string[] {
  if (capabilities !== null && !capabilities.includes("completion")) return capabilities;
  return [
    "completion",
    ...(/\btools\b/.test(template) ? ["tools"] : []),
    ...(/enable_thinking|<think>|reasoning/.test(template) ? ["thinking"] : []),
  ];
}

/** Lines as in a Modelfile. */
function parametersOf({ contextSize }: ModelCard, defaults: SamplingOptions): string {
  const parameters = {
    num_ctx: contextSize || undefined,
    temperature: defaults.temperature,
    top_p: defaults.topP,
    top_k: defaults.topK,
    min_p: defaults.minP,
    repeat_penalty: defaults.repeatPenalty,
  };
  const lines = Object.entries(parameters).filter(([, value]) => value !== undefined);
  return lines.map(([name, value]) => `${name.padEnd(30)} ${value}`).join("\n");
}
