import { z } from "zod";
import { jsonObject } from "../schema/json-object.js";
import { list } from "../schema/list.js";
import { MAX_TOOLS, toTools } from "../schema/tools.js";

const OWN_TOOL = 'a tool of your own ("custom", with an input_schema; what runs at Anthropic is not here)';

const tool = z.object({
  type: z
    .string()
    .refine((type) => type === "custom", { error: OWN_TOOL })
    .nullish(),
  name: z.string().min(1),
  description: z.string().nullish(),
  input_schema: jsonObject,
  strict: z.boolean().nullish(),
});

const parallel = { disable_parallel_tool_use: z.boolean().nullish() };

const toolChoice = z.discriminatedUnion(
  "type",
  [
    z.object({ type: z.literal("auto"), ...parallel }),
    z.object({ type: z.literal("any"), ...parallel }),
    z.object({ type: z.literal("tool"), name: z.string(), ...parallel }),
    z.object({ type: z.literal("none") }),
  ],
  { error: 'an object whose "type" is "auto", "any", "tool" or "none"' },
);

export const toolFields = {
  tools: list(tool, { min: 0, max: MAX_TOOLS }).nullish(),
  tool_choice: toolChoice.nullish(),
};

const toolSchema = z.object(toolFields);
type ToolFields = z.output<typeof toolSchema>;

export function toPromptTools({ tools, tool_choice: choice }: ToolFields): ReturnType<typeof toTools> {
  const fields = {
    tools: (tools ?? []).map(({ name, description, input_schema, strict }) => ({
      type: "function" as const,
      function: {
        name,
        parameters: input_schema,
        ...(typeof strict === "boolean" && { strict }),
        ...(typeof description === "string" ? { description } : {}),
      },
    })),
    tool_choice: choiceOf(choice),
    parallel_tool_calls: isSingle(choice) ? false : null,
  };
  return toTools(fields, "input_schema");
}

function choiceOf(choice: ToolFields["tool_choice"]) {
  switch (choice?.type) {
    case "any":
      return "required" as const;
    case "tool":
      return { type: "function" as const, function: { name: choice.name } };
    case "none":
      return "none" as const;
    default:
      return "auto" as const;
  }
}

function isSingle(choice: ToolFields["tool_choice"]): boolean {
  return choice != null && choice.type !== "none" && choice.disable_parallel_tool_use === true;
}
