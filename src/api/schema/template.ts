import { z } from "zod";
import { ExoError } from "../../core/errors.js";
import type { ChatPrompt } from "../../core/inference.js";
import { jsonObject } from "./json-object.js";

/** Fields that only the model's chat template reads. */
export const templateFields = {
  reasoning_effort: z.string().nullish(),
  chat_template_kwargs: jsonObject.nullish(),
};

const templateSchema = z.object(templateFields);

/** Thinking is off for an effort of "none"; any other effort also goes to the template by its name. */
export function toTemplateOptions(
  body: z.output<typeof templateSchema>,
): Pick<ChatPrompt, "enableThinking" | "templateVariables"> {
  const { enable_thinking: flag, ...others } = body.chat_template_kwargs ?? {};
  if (flag !== undefined && typeof flag !== "boolean") {
    throw new ExoError("invalid_argument", "Expected true or false for chat_template_kwargs.enable_thinking.", {
      param: "chat_template_kwargs.enable_thinking",
    });
  }
  const effort = body.reasoning_effort ?? null;
  const variables = effort === null || effort === "none" ? others : { ...others, reasoning_effort: effort };
  const thinking = flag ?? (effort === null ? null : effort !== "none");
  return {
    ...(thinking === null ? {} : { enableThinking: thinking }),
    ...(Object.keys(variables).length === 0 ? {} : { templateVariables: variables }),
  };
}
