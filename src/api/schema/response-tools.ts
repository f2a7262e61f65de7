import { z } from "zod";
import { ExoError } from "../../core/errors.js";
import type { ChatPrompt } from "../../core/inference.js";
import { jsonObject } from "./json-object.js";
import { list } from "./list.js";
import { wrongField } from "./parse-body.js";
import { checkToolSchemas, chooseTools, MAX_TOOLS, type Tool, type ToolChoice } from "./tools.js";

/** Flat, unlike the tools of chat. */
const tool = z.looseObject({
  type: z.string(),
  name: z.string().nullish(),
  description: z.string().nullish(),
  parameters: jsonObject.nullish(),
  strict: z.boolean().nullish(),
});

const named = z.looseObject({ type: z.string(), name: z.string().nullish() });

const choice = z.union(
  [
    z.enum(["auto", "none", "required"]),
    z.looseObject({
      type: z.string(),
      name: z.string().nullish(),
      mode: z.enum(["auto", "required"]).nullish(),
      tools: list(named, { min: 1, max: MAX_TOOLS }).nullish(),
    }),
  ],
  { error: '"auto", "none", "required", a function by name, or "allowed_tools"' },
);

export const responseToolFields = {
  tools: list(tool, { min: 0, max: MAX_TOOLS }).nullish(),
  tool_choice: choice.nullish(),
  parallel_tool_calls: z.boolean().nullish(),
};

const toolSchema = z.object(responseToolFields);
type Fields = z.output<typeof toolSchema>;

export function toResponseTools(
  fields: Fields,
  body: unknown,
): Pick<ChatPrompt, "tools" | "toolChoice" | "parallelToolCalls"> {
  const tools = (fields.tools ?? []).map((one, index) => toTool(one, index, body));
  const choice = toChoice(fields.tool_choice ?? "auto", body);
  checkToolSchemas(tools, choice, "parameters");
  return chooseTools(tools, choice, fields.parallel_tool_calls);
}

function toTool(one: z.output<typeof tool>, index: number, body: unknown): Tool {
  const { type, name, description, parameters, strict } = one;
  if (type !== "function") throw notAFunction(type, `tools[${index}].type`);
  if (typeof name !== "string" || name === "") throw wrongField(["tools", index, "name"], "a name", body);
  return {
    type: "function",
    function: {
      name,
      ...(typeof description === "string" && { description }),
      ...(parameters !== undefined && parameters !== null && { parameters }),
      ...(typeof strict === "boolean" && { strict }),
    },
  };
}

function toChoice(value: NonNullable<Fields["tool_choice"]>, body: unknown): ToolChoice {
  if (typeof value === "string") return { mode: value, only: null, param: "tool_choice" };
  if (value.type === "function") {
    return { mode: "required", only: [nameOf(value, ["tool_choice"], body)], param: "tool_choice.name" };
  }
  if (value.type !== "allowed_tools") throw notAFunction(value.type, "tool_choice.type");
  if (value.tools === undefined || value.tools === null) throw wrongField(["tool_choice", "tools"], "an array", body);
  const only = value.tools.map((one, index) => nameOf(one, ["tool_choice", "tools", index], body));
  return { mode: value.mode ?? "auto", only, param: "tool_choice.tools" };
}

function nameOf({ type, name }: z.output<typeof named>, path: readonly PropertyKey[], body: unknown): string {
  if (type === "function" && typeof name === "string") return name;
  throw wrongField([...path, "name"], "the name of a function", body);
}

function notAFunction(type: string, param: string): ExoError {
  const message =
    `A tool of type ${JSON.stringify(type.slice(0, 40))} is not supported: nothing but the model runs here. ` +
    "Give it a function that does the same, and run that yourself.";
  return new ExoError("unsupported", message, { param });
}
