import { ON_DEMAND, type Settings } from "./config.js";
import { parseKeepAlive } from "./duration.js";
import { anyOf, listOf, nonEmpty, type Option, parsed, wholeNumber } from "./option.js";

type ModelSettings = Pick<Settings, "pin" | "onDemand" | "keepAlive" | "spares">;

/** Which models are loaded beside the first, and for how long; a part of `OPTIONS`. */
export const MODEL_OPTIONS: { readonly [Key in keyof ModelSettings]: Option<ModelSettings[Key]> } = {
  pin: {
    flag: "pin",
    argument: "model",
    repeatable: true,
    description: "another model to place at the start and to keep loaded",
    expects: "names of models",
    schema: listOf(nonEmpty),
    default: [],
  },
  onDemand: {
    flag: "on-demand",
    argument: "models",
    description:
      "which models a request may have loaded: known (on disk or in the catalogue), any path or address too, or off",
    ...anyOf(ON_DEMAND),
    default: "known",
  },
  keepAlive: {
    flag: "keep-alive",
    argument: "time",
    description: "unload a model that was loaded on demand when nobody used it for so long (default: 30m)",
    expects: 'a time such as "90s", "30m", "2h" or "never"',
    schema: parsed(parseKeepAlive),
    default: 1800,
  },
  spares: {
    flag: "spares",
    argument: "count",
    description:
      "other nodes that stand by for each stage of a ring: they fetch it in advance, and load it where memory allows",
    expects: "a whole number from 0 to 64",
    schema: wholeNumber(0, 64),
    default: 0,
  },
};
