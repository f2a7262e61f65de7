import { z } from "zod";
import { ExoError } from "../../core/errors.js";
import type { ChatPrompt } from "../../core/inference.js";
import { checkMeaning } from "../../native/schema/check-schema.js";
import { checkToolSizes } from "../../native/schema-limits.js";
import { jsonObject } from "./json-object.js";
import { list } from "./list.js";

/** As OpenAI has it. */
export const MAX_TOOLS = 128;

const tool = z.looseObject({
  type: z.literal("function"),
  function: z.looseObject({
    name: z.string().min(1),
    description: z.string().nullish(),
    parameters: jsonObject.nullish(),
    strict: z.boolean().nullish(),
  }),
});

/** A function as llama.cpp's templates know it. */
export type Tool = z.output<typeof tool>;

const namedTool = z.object({ type: z.literal("function"), function: z.object({ name: z.string() }) });

const allowedTools = z.object({
  type: z.literal("allowed_tools"),
  allowed_tools: z.object({
    mode: z.enum(["auto", "required"]),
    tools: list(namedTool, { min: 1, max: MAX_TOOLS }),
  }),
});

const CHOICES = '"auto", "none", "required", a function by name, or "allowed_tools"';

export const toolFields = {
  tools: list(tool, { min: 0, max: MAX_TOOLS }).nullish(),
  tool_choice: z
    .union(
      [
        z.enum(["auto", "none", "required"]),
        z.discriminatedUnion("type", [namedTool, allowedTools], { error: '"function" or "allowed_tools"' }),
      ],
      { error: CHOICES },
    )
    .nullish(),
  parallel_tool_calls: z.boolean().nullish(),
};

const toolSchema = z.object(toolFields);
type ToolFields = z.output<typeof toolSchema>;

/** What an API's `tool_choice` means. */
export interface ToolChoice {
  readonly mode: "auto" | "none" | "required";
  /** The tools that may be used, by name; `null`: all. */
  readonly only: readonly string[] | null;
  /** Where the names stand in the request. */
  readonly param: string;
}

/** @param schemaField where a tool of the API has the schema of its arguments */
export function toTools(
  body: ToolFields,
  schemaField = "function.parameters",
): Pick<ChatPrompt, "tools" | "toolChoice" | "parallelToolCalls"> {
  const tools = body.tools ?? [];
  const choice = choiceOf(body.tool_choice ?? "auto");
  checkToolSchemas(tools, choice, schemaField);
  return chooseTools(tools, choice, body.parallel_tool_calls);
}

/** What no call could keep is refused before a template is filled. */
export function checkToolSchemas(tools: readonly Tool[], { mode }: ToolChoice, schemaField: string): void {
  checkToolSizes(tools);
  if (mode === "none") return;
  for (const [index, { function: one }] of tools.entries()) {
    const use = { param: `tools[${index}].${schemaField}`, strict: one.strict === true };
    if (one.parameters != null) checkMeaning(one.parameters, use);
  }
}

/** Tools for the template: those that may be used. One chosen by name is one that must be used and stands alone. */
export function chooseTools(
  tools: readonly Tool[],
  choice: ToolChoice,
  parallel: boolean | null | undefined,
): Pick<ChatPrompt, "tools" | "toolChoice" | "parallelToolCalls"> {
  if (tools.length === 0) {
    if (choice.mode !== "required" && choice.only === null) return {};
    throw new ExoError("invalid_argument", "tool_choice asks for a tool, but the request has no tools.", {
      param: "tool_choice",
    });
  }
  return {
    tools: choice.only === null ? tools : choice.only.map((name) => toolNamed(tools, name, choice.param)),
    toolChoice: choice.mode,
    ...(typeof parallel === "boolean" ? { parallelToolCalls: parallel } : {}),
  };
}

function choiceOf(choice: NonNullable<ToolFields["tool_choice"]>): ToolChoice {
  if (typeof choice === "string") return { mode: choice, only: null, param: "tool_choice" };
  if (choice.type === "function") {
    return { mode: "required", only: [choice.function.name], param: "tool_choice.function.name" };
  }
  const { mode, tools } = choice.allowed_tools;
  return { mode, only: tools.map((one) => one.function.name), param: "tool_choice.allowed_tools.tools" };
}

function toolNamed(tools: readonly Tool[], name: string, param: string): Tool {
  const found = tools.find((candidate) => candidate.function.name === name);
  if (found !== undefined) return found;
  const names = tools.map((candidate) => candidate.function.name).join(", ");
  const message = `tool_choice names a tool that is not among tools (${names.slice(0, 200)}).`;
  throw new ExoError("invalid_argument", message, { param });
}
