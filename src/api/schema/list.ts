import { z } from "zod";
import { jsonObject } from "./json-object.js";

/**
 * An array that stops at its first wrong element. zod's own collects a fault for every element, and a body of millions
 * of wrong ones would cost more memory than it is worth.
 */
export function list<Element extends z.ZodType>(element: Element, bounds: { min: number; max: number }) {
  return z
    .array(z.unknown(), { error: "an array" })
    .min(bounds.min)
    .max(bounds.max)
    .transform((items, context) => {
      const parsed: z.output<Element>[] = [];
      for (const [index, item] of items.entries()) {
        const result = element.safeParse(item);
        if (!result.success) {
          addFirstIssue(result.error, [index], context);
          return z.NEVER;
        }
        parsed.push(result.data);
      }
      return parsed;
    });
}

/** An object used as a table; stops at its first wrong entry, like `list`. */
export function table<Value extends z.ZodType>(
  key: { accepts: (name: string) => boolean; expected: string },
  value: Value,
) {
  return jsonObject.transform((entries, context) => {
    const parsed: Record<string, z.output<Value>> = {};
    for (const [name, item] of Object.entries(entries)) {
      if (!key.accepts(name)) {
        context.addIssue({ code: "custom", path: [name], message: key.expected, input: item });
        return z.NEVER;
      }
      const result = value.safeParse(item);
      if (!result.success) {
        addFirstIssue(result.error, [name], context);
        return z.NEVER;
      }
      parsed[name] = result.data;
    }
    return parsed;
  });
}

function addFirstIssue(error: z.ZodError, at: readonly PropertyKey[], context: z.core.ParsePayload): void {
  const first = error.issues[0];
  if (first !== undefined) context.issues.push({ ...first, path: [...at, ...first.path], input: undefined });
}
