import { z } from "zod";

/** What a machine runs on; `unknown` where the system does not tell. */
export const powerSchema = z.enum(["mains", "battery", "unknown"]);

export type Power = z.infer<typeof powerSchema>;
