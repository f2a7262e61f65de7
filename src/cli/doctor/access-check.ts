import { exposures } from "../../config/exposure.js";
import { keyFilePath } from "../../config/keys/key-file.js";
import { isLoopback } from "../../core/loopback.js";
import type { Check } from "./check.js";
import type { DoctorContext } from "./context.js";
import { type Finding, note, ok, warning } from "./finding.js";

/** Who could use a node that is started with these settings. */
export const accessCheck: Check = {
  subject: "who may use this node",
  run: async (context) => [await accessFinding(context), ...(await keyFindings(context))],
};

async function accessFinding({ config, system }: DoctorContext): Promise<Finding> {
  const hasKeys = (await system.readText(keyFilePath(config.paths.configDir))) !== null;
  const found = exposures(config, hasKeys);
  const withKeys = hasKeys || config.apiKey.length > 0;
  const host = config.http.host ?? "127.0.0.1";
  if (found.length === 0) {
    return ok(
      "access",
      isLoopback(host) ? "Only programs of this machine reach the HTTP API" : "The HTTP API asks for keys",
    );
  }
  if (withKeys || isLoopback(host)) return note("access", "Others can take part, as the settings say", found.join(" "));
  return warning(
    "access",
    "Everybody who can reach this machine can use the HTTP API",
    found.join(" "),
    "npx exo-native keys create",
  );
}

/** Hashes of keys are no keys, but whoever can write there can let himself in. */
async function keyFindings({ config, system }: DoctorContext): Promise<readonly Finding[]> {
  const path = keyFilePath(config.paths.configDir);
  const text = await system.readText(path);
  if (text === null) return [];
  const mode = system.platform === "win32" ? null : await system.mode(path);
  if (mode === null || (mode & 0o077) === 0) return [];
  const detail = `${path} has the permissions ${mode.toString(8)}.`;
  return [
    warning("access.keys", "Others on this machine can read or change the API keys", detail, `chmod 600 ${path}`),
  ];
}
