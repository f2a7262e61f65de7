import { ExoError } from "../../core/errors.js";
import { checkSchema } from "../schema-limits.js";
import { impossible } from "./impossible.js";
import { partsOf } from "./parts.js";
import { unenforced } from "./unenforced.js";

export interface SchemaUse {
  /** The field of the request that holds the schema. */
  readonly param: string;
  /** The client wants each keyword kept, and would rather hear that one cannot be. */
  readonly strict: boolean;
}

/**
 * Throws `invalid_argument` for a schema that no answer can match, or that is none, and `unsupported`, if it is strict, for
 * one with a keyword that a grammar does not hold answers to.
 */
export function checkMeaning(schema: unknown, { param, strict }: SchemaUse): void {
  checkSchema(schema, param);
  const parts = partsOf(schema);
  for (const part of parts) {
    const fault = impossible(part, schema);
    if (fault === null) continue;
    const message = `The JSON schema of ${param} cannot be kept: ${spot(part.path, fault.keyword)} ${fault.what}.`;
    throw new ExoError("invalid_argument", message, { param });
  }
  if (!strict) return;
  for (const part of parts) {
    const keyword = unenforced(part);
    if (keyword === null) continue;
    throw new ExoError(
      "unsupported",
      `The JSON schema of ${param} is strict, but answers cannot be held to ${spot(part.path, keyword)}; ` +
        "leave the keyword out, or leave out strict to have it ignored.",
      { param },
    );
  }
}

function spot(path: string, keyword: string): string {
  const name = [path, keyword].filter((part) => part !== "").join(".");
  return name === "" ? "it" : name.slice(0, 300);
}
