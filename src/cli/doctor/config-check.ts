import { environmentName } from "../../config/load.js";
import { OPTIONS } from "../../config/options.js";
import type { Check } from "./check.js";
import type { DoctorContext } from "./context.js";
import { type Finding, ok, problem, warning } from "./finding.js";

/** Variables that are no option of `serve`. */
export const OTHER_VARIABLES: readonly string[] = [
  "EXO_NATIVE_ADDON_DIRECTORY",
  "EXO_NATIVE_CONFIG",
  "EXO_NATIVE_GGML",
  "EXO_NATIVE_HOME",
  "EXO_NATIVE_NO_DISCOVERY",
  "EXO_NATIVE_NO_HISTORY",
  "EXO_NATIVE_NO_SUPERVISE",
  "EXO_NATIVE_URL",
];

/** Whether the settings can be used, and whether each of them is one. */
export const configCheck: Check = {
  subject: "the configuration",
  run: async (context) => [fileFinding(context), ...unknownVariables(context), ...(await openSecrets(context))],
};

function fileFinding({ config, configFailure }: DoctorContext): Finding {
  if (configFailure !== null) {
    return problem(
      "config.file",
      "The settings cannot be used",
      `${configFailure.message} The other checks go by the defaults.`,
      "Correct it; npx exo-native serve --help lists all settings.",
    );
  }
  if (config.file === null) return ok("config.file", "No configuration file; the defaults hold");
  return ok("config.file", `${config.file} can be used`);
}

/** A variable that nobody reads is most likely misspelt. */
function unknownVariables({ system }: DoctorContext): readonly Finding[] {
  const known = new Set([...Object.values(OPTIONS).map(({ flag }) => environmentName(flag)), ...OTHER_VARIABLES]);
  const unknown = Object.keys(system.env).filter((name) => name.startsWith("EXO_NATIVE_") && !known.has(name));
  if (unknown.length === 0) return [];
  return [
    warning(
      "config.environment",
      `The environment has ${unknown.join(", ")}, which nothing reads`,
      "An option --min-nodes is the variable EXO_NATIVE_MIN_NODES.",
      `Correct the spelling, or unset ${unknown.join(" ")}`,
    ),
  ];
}

async function openSecrets({ config, system }: DoctorContext): Promise<readonly Finding[]> {
  const { file } = config;
  if (file === null || system.platform === "win32") return [];
  const mode = await system.mode(file);
  const text = await system.readText(file);
  if (mode === null || (mode & 0o077) === 0 || text?.includes('"api-key"') !== true) return [];
  return [
    warning(
      "config.secrets",
      "Others on this machine can read the API key",
      `${file} has the permissions ${mode.toString(8)}.`,
      `chmod 600 ${file}`,
    ),
  ];
}
