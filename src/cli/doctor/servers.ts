import { ExoError } from "../../core/errors.js";
import { hubSettings } from "../../model/hub/hub-settings.js";
import type { DoctorSystem } from "./system.js";

/** A server that models come from. */
export interface ModelServer {
  readonly id: "reach.npm" | "reach.hub";
  readonly name: string;
  readonly url: string;
  /** What cannot be had without it. */
  readonly use: string;
}

/** The servers by the settings of this user; those that cannot be asked by them are left out. */
export async function modelServers(system: DoctorSystem): Promise<readonly ModelServer[]> {
  const hub = hubServer(system.env);
  const npm = await npmServer(system);
  return [...(npm === null ? [] : [npm]), ...(hub === null || hub instanceof ExoError ? [] : [hub])];
}

/** `null`: the hub is not to be asked. An error: it cannot be, as its address is none. */
export function hubServer(env: DoctorSystem["env"]): ModelServer | ExoError | null {
  try {
    const { endpoint, offline } = hubSettings(env);
    return offline ? null : { id: "reach.hub", name: "the model hub", url: endpoint, use: "models of the hub" };
  } catch (thrown) {
    return ExoError.from(thrown);
  }
}

/** npm's own settings hold for npm: models. `null`: npm cannot be asked. */
export async function npmServer(system: DoctorSystem): Promise<ModelServer | null> {
  const result = await system.run("npm", ["config", "get", "registry"]);
  const url = validUrl(result?.stdout.trim());
  if (url === null) return null;
  return { id: "reach.npm", name: "the npm registry", url, use: "npm: models and the demo model" };
}

function validUrl(text: string | undefined): string | null {
  return text !== undefined && /^https?:\/\//.test(text) && URL.canParse(text) ? text : null;
}
