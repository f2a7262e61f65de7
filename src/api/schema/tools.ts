import { z } from "zod";
import { ExoError } from "../../core/errors.js";
import type { ChatPrompt } from "../../core/inference.js";
import { jsonObject } from "./json-object.js";
import { list } from "./list.js";

const tool = z.looseObject({
  type: z.literal("function"),
  function: z.looseObject({
    name: z.string().min(1),
    description: z.string().nullish(),
    parameters: jsonObject.nullish(),
  }),
});

const namedTool = z.object({ type: z.literal("function"), function: z.object({ name: z.string() }) });

export const toolFields = {
  tools: list(tool, { min: 0, max: 1024 }).nullish(),
  tool_choice: z
    .union([z.enum(["auto", "none", "required"]), namedTool], {
      error: '"auto", "none", "required" or {"type": "function", "function": {"name": …}}',
    })
    .nullish(),
  parallel_tool_calls: z.boolean().nullish(),
};

const toolSchema = z.object(toolFields);
type ToolFields = z.output<typeof toolSchema>;

/** Tools for the template. A tool chosen by name is one that must be used and stands alone. */
export function toTools(body: ToolFields): Pick<ChatPrompt, "tools" | "toolChoice" | "parallelToolCalls"> {
  const tools = body.tools ?? [];
  const choice = body.tool_choice ?? "auto";
  if (tools.length === 0) {
    if (choice === "auto" || choice === "none") return {};
    throw new ExoError("invalid_argument", "tool_choice asks for a tool, but the request has no tools.", {
      param: "tool_choice",
    });
  }
  const parallel = typeof body.parallel_tool_calls === "boolean" ? { parallelToolCalls: body.parallel_tool_calls } : {};
  if (typeof choice === "string") return { tools, toolChoice: choice, ...parallel };
  return { tools: [toolNamed(tools, choice.function.name)], toolChoice: "required", ...parallel };
}

function toolNamed(tools: readonly z.output<typeof tool>[], name: string): z.output<typeof tool> {
  const found = tools.find((candidate) => candidate.function.name === name);
  if (found !== undefined) return found;
  const names = tools.map((candidate) => candidate.function.name).join(", ");
  throw new ExoError("invalid_argument", `tool_choice names a tool that is not among tools (${names.slice(0, 200)}).`, {
    param: "tool_choice.function.name",
  });
}
