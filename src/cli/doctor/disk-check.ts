import { formatByteSize } from "../../config/byte-size.js";
import type { Check } from "./check.js";
import type { DoctorContext } from "./context.js";
import { type Finding, ok, problem, warning } from "./finding.js";

/** Hardly a model of use is smaller. */
const LEAST_BYTES = 4 * 2 ** 30;

/** Whether models and the node's identity can be kept. */
export const diskCheck: Check = {
  subject: "the disk",
  run: async (context) => [...(await writable(context)), await space(context)],
};

async function writable({ config, system }: DoctorContext): Promise<readonly Finding[]> {
  const { modelsDir, configDir } = config.paths;
  const refused: string[] = [];
  for (const directory of [modelsDir, configDir]) if (!(await system.mayWrite(directory))) refused.push(directory);
  if (refused.length === 0)
    return [ok("disk.write", "Models and the node's identity can be written", `${modelsDir}, ${configDir}.`)];
  return [
    problem(
      "disk.write",
      `This user may not write to ${refused.join(" and ")}`,
      "A node keeps its identity and its models there.",
      "Make it the property of this user, or set EXO_NATIVE_HOME to a directory that is.",
    ),
  ];
}

async function space({ config, system }: DoctorContext): Promise<Finding> {
  const { modelsDir } = config.paths;
  const free = await system.freeBytes(modelsDir);
  if (free === null) {
    return warning("disk.space", `The free space of ${modelsDir} cannot be read`, "", "See whether the disk is there.");
  }
  if (free >= LEAST_BYTES) return ok("disk.space", `Disk: ${formatByteSize(free)} free for models`, `${modelsDir}.`);
  return warning(
    "disk.space",
    `Only ${formatByteSize(free)} are free for models`,
    `They are kept in ${modelsDir}.`,
    "npx exo-native models list, then models rm what is not needed; or set EXO_NATIVE_HOME to a directory on a larger disk",
  );
}
