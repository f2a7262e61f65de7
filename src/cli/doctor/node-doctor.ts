import type { Doctor } from "../../api/ports.js";
import type { Config } from "../../config/config.js";
import { clusterDocument } from "../node-client/cluster-document.js";
import type { CliIo } from "../terminal/cli-io.js";
import { type Check, runChecks } from "./check.js";
import { CHECKS } from "./checks.js";
import { localSystem } from "./local-system.js";
import { findingsDocument, subjectOf } from "./report.js";

/** The doctor of a node that runs in this process: it goes by the settings and the view of that node. */
export function nodeDoctor(config: Config, env: CliIo["env"], checks: readonly Check[] = CHECKS): Doctor {
  return {
    examine: async ({ url, cluster }) => {
      // Anew each time: it remembers what it was told.
      const system = localSystem(env);
      const node = { url, cluster: clusterDocument.parse(cluster), isOwn: true };
      const findings = await runChecks(checks, { system, config, configFailure: null, node, nodeFailure: null });
      return findingsDocument(subjectOf(system), findings);
    },
  };
}
