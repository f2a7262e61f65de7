import type { z } from "zod";
import { type ErrorCode, ExoError } from "../core/errors.js";

/**
 * What a peer sent, as a type; or `code`, naming the field. Values are not repeated in the message: they may hold
 * prompt text.
 */
export function parse<T>(schema: z.ZodType<T>, value: unknown, what: string, code: ErrorCode): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const path = issue?.path.join(".") ?? "";
  throw new ExoError(
    code,
    `${what} cannot be read: ${path === "" ? "" : `${path}: `}${issue?.message ?? "malformed"}.`,
  );
}
