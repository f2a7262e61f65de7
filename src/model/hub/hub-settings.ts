import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { ExoError } from "../../core/errors.js";

/** How the hub is reached. The variables are those of Hugging Face's own tools. */
export interface HubSettings {
  /** Without a slash at its end. */
  readonly endpoint: string;
  /** For repositories that are gated or private. */
  readonly token: string | null;
  /** The hub is not asked; what is here, or on other nodes, has to do. */
  readonly offline: boolean;
}

type Environment = Readonly<Record<string, string | undefined>>;

const DEFAULT_ENDPOINT = "https://huggingface.co";

/** `HF_ENDPOINT`, `HF_TOKEN` or the file that Hugging Face's log-in writes, `HF_HUB_OFFLINE`. */
export function hubSettings(env: Environment, homeDirectory: string = homedir()): HubSettings {
  return {
    endpoint: endpointOf(env.HF_ENDPOINT),
    token: filled(env.HF_TOKEN) ?? tokenIn(tokenPath(env, homeDirectory)),
    offline: /^(1|on|yes|true)$/i.test(env.HF_HUB_OFFLINE?.trim() ?? ""),
  };
}

function endpointOf(given: string | undefined): string {
  const text = filled(given) ?? DEFAULT_ENDPOINT;
  if (!URL.canParse(text) || !/^https?:$/.test(new URL(text).protocol)) {
    throw new ExoError(
      "invalid_argument",
      `Expected an address such as "https://hf-mirror.example" in HF_ENDPOINT, received "${text}".`,
      {
        param: "HF_ENDPOINT",
      },
    );
  }
  return text.replace(/\/+$/, "");
}

function tokenPath(env: Environment, homeDirectory: string): string {
  const cache = filled(env.XDG_CACHE_HOME) ?? join(homeDirectory, ".cache");
  const home = filled(env.HF_HOME) ?? join(cache, "huggingface");
  return filled(env.HF_TOKEN_PATH) ?? join(home, "token");
}

function tokenIn(path: string): string | null {
  try {
    return filled(readFileSync(path, "utf8"));
  } catch {
    // Nobody has logged in here.
    return null;
  }
}

function filled(text: string | undefined): string | null {
  const trimmed = text?.trim() ?? "";
  return trimmed === "" ? null : trimmed;
}
