import { type Option, toggle } from "./option.js";

/** Whether `serve` starts the node again when it crashes; a part of `OPTIONS`. */
export const SUPERVISE_OPTION: Option<boolean> = {
  flag: "supervise",
  argument: null,
  description: "run the node in a process of its own, and start it again when it crashes (default: it does)",
  expects: "true or false",
  schema: toggle,
  default: true,
};
