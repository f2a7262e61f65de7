import { Option as Flag, InvalidArgumentError } from "commander";

export function numberFlag(flags: string, description: string, least: number, most: number): Flag {
  return new Flag(flags, description).argParser((text) => {
    const value = text.trim() === "" ? Number.NaN : Number(text);
    if (value >= least && value <= most) return value;
    throw new InvalidArgumentError(`Expected a number from ${least} to ${most}.`);
  });
}

export function urlFlag(): Flag {
  return new Flag("--url <url>", "the node to ask (default: the one on this machine, http://127.0.0.1:52415)").env(
    "EXO_NATIVE_URL",
  );
}
