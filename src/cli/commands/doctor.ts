import type { Config } from "../../config/config.js";
import { loadConfig } from "../../config/load.js";
import { ExoError } from "../../core/errors.js";
import { runChecks } from "../doctor/check.js";
import { CHECKS } from "../doctor/checks.js";
import type { AnsweringNode, DoctorContext } from "../doctor/context.js";
import { localSystem } from "../doctor/local-system.js";
import { countsOf, findingsDocument, findingsText, several, subjectOf } from "../doctor/report.js";
import { asUsage } from "../failure.js";
import { clientFor } from "../node-client/client-for.js";
import { type CliIo, widthOf } from "../terminal/cli-io.js";
import { paintFor } from "../terminal/paint.js";
import { StatusScreen } from "../terminal/status-screen.js";

type Options = Readonly<Record<string, unknown>>;

/** Looks at this machine, and through a running node at the others. Fails when it finds a problem. */
export async function doctor(options: Options, io: CliIo): Promise<void> {
  const screen = new StatusScreen(io.stderr, io.now);
  screen.show(["looking at this machine and its network"]);
  const context = await lookAround(options, io);
  const findings = await runChecks(CHECKS, context);
  screen.clear();
  const subject = subjectOf(context.system);
  if (options.json === true) {
    io.stdout.write(`${JSON.stringify(findingsDocument(subject, findings), null, 2)}\n`);
  } else {
    io.stdout.write(findingsText(subject, findings, widthOf(io.stdout), paintFor(io.stdout, io.env)));
  }
  const { problem: problems } = countsOf(findings);
  if (problems > 0) throw new ExoError("not_ready", `${several(problems, "problem")} found; each comes with its mend.`);
}

async function lookAround(options: Options, io: CliIo): Promise<DoctorContext> {
  const { config, configFailure } = await settings(options, io);
  const { node, nodeFailure } = await askNode(config, options.url);
  return { system: localSystem(io.env), config, configFailure, node, nodeFailure };
}

/** A file or a variable that cannot be used is a finding; an option of this very command is bad usage. */
async function settings(options: Options, io: CliIo): Promise<Pick<DoctorContext, "config" | "configFailure">> {
  try {
    return { config: await loadConfig({ flags: options, env: io.env }), configFailure: null };
  } catch (thrown) {
    const { EXO_NATIVE_HOME } = io.env;
    const flags = { ...options, config: undefined };
    const config = await asUsage(() => loadConfig({ flags, env: { EXO_NATIVE_HOME }, withoutFile: true }));
    return { config, configFailure: ExoError.from(thrown) };
  }
}

async function askNode(config: Config, url: unknown): Promise<Pick<DoctorContext, "node" | "nodeFailure">> {
  const client = clientFor(config, url);
  try {
    const isOwn = client.url.host === clientFor(config, undefined).url.host;
    const node: AnsweringNode = { url: client.url, cluster: await client.cluster(), isOwn };
    return { node, nodeFailure: null };
  } catch (thrown) {
    const failure = ExoError.from(thrown);
    return { node: null, nodeFailure: failure.code === "peer_unreachable" ? null : failure };
  }
}
