import { z } from "zod";

export type JsonObject = Readonly<Record<string, unknown>>;

/** Any JSON object, passed on as it is: a copy of a large schema would gain nothing. */
export const jsonObject = z.custom<JsonObject>(isJsonObject, { error: "an object" });

function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
