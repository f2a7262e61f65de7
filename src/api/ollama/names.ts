import { z } from "zod";
import { wrongField } from "../schema/parse-body.js";

/** Older clients say `name`. */
export const nameFields = { model: z.string().nullish(), name: z.string().nullish() };

const nameSchema = z.object(nameFields);

/** As the client wrote it; `invalid_argument` when it is missing. */
export function nameOf({ model, name }: z.output<typeof nameSchema>, body: unknown): string {
  const given = model || name;
  if (given) return given;
  throw wrongField(["model"], "the name of a model", body);
}

const HUB = /^(?:https?:\/\/)?(?:hf\.co|huggingface\.co)\/(?<repository>[^/:]+\/[^/:]+)(?<quantisation>:.+)?$/i;

/** Ours for Ollama's name: the tag `latest` says nothing, and `hf.co/` is its way to write `hf:`. */
export function plainName(name: string): string {
  const plain = name.trim().replace(/:latest$/, "");
  const { repository, quantisation = "" } = HUB.exec(plain)?.groups ?? {};
  return repository === undefined ? plain : `hf:${repository}${quantisation}`;
}

/** Ollama's for our name: clients look for a tag. */
export function taggedName(id: string): string {
  return id.includes(":") ? id : `${id}:latest`;
}
