import { ExoError } from "../../core/errors.js";
import type { Check } from "./check.js";
import type { DoctorContext } from "./context.js";
import { type Finding, note, ok, warning } from "./finding.js";
import { hubServer, type ModelServer, npmServer } from "./servers.js";
import type { DoctorSystem } from "./system.js";

/** Whether models can be fetched. */
export const reachCheck: Check = {
  subject: "the servers of models",
  run: async ({ system }: DoctorContext) => {
    return [...(await Promise.all([npm(system), hub(system)])), ...proxy(system)];
  },
};

async function npm(system: DoctorSystem): Promise<Finding> {
  const server = await npmServer(system);
  if (server !== null) return lookAt(server, system);
  return warning(
    "reach.npm",
    "npm does not say where it fetches packages from",
    "`npm config get registry` gave no address. Without npm, npm: models and the demo model cannot be fetched.",
    "Install npm, which comes with Node.js, or give models by path, `hf:` or `https:`.",
  );
}

async function hub(system: DoctorSystem): Promise<Finding> {
  const server = hubServer(system.env);
  if (server === null) return note("reach.hub", "HF_HUB_OFFLINE is set, so the model hub is not asked");
  if (!(server instanceof ExoError)) return lookAt(server, system);
  return warning("reach.hub", "HF_ENDPOINT is no address", server.message, "Correct HF_ENDPOINT, or unset it.");
}

async function lookAt({ id, name, url, use }: ModelServer, system: DoctorSystem): Promise<Finding> {
  const reply = await system.ask(url);
  const where = new URL(url).host;
  if (typeof reply !== "string" && reply.status < 500) return ok(id, `${where} (${name}) can be reached`);
  const why = typeof reply === "string" ? reply : `it answers with status ${reply.status}`;
  return warning(
    id,
    `${where} (${name}) cannot be reached`,
    `Tried from this machine: ${why}. Without it ${use} cannot be fetched; what is kept here works.`,
    mendOf(why, proxyOf(system) !== null),
  );
}

function mendOf(why: string, hasProxy: boolean): string {
  if (why.includes("certificate")) {
    return "Set the clock; or, behind a proxy that reads along, set NODE_EXTRA_CA_CERTS to its certificate.";
  }
  if (hasProxy) return "See the finding on the proxy; or fetch the file by other means and give its path.";
  return "Connect to the internet, set the proxy of your network, or copy the file here and give its path.";
}

function proxyOf({ env }: DoctorSystem): string | null {
  return env.HTTPS_PROXY || env.https_proxy || env.HTTP_PROXY || env.http_proxy || null;
}

/** The first version whose `fetch` takes a proxy from the environment. */
const PROXY_SINCE = 24;

function proxy(system: DoctorSystem): readonly Finding[] {
  const address = proxyOf(system);
  if (address === null) return [];
  // An address may hold a password.
  const shown = URL.parse(address)?.host ?? "a proxy";
  const major = Number(system.nodeVersion.split(".")[0]);
  if (major >= PROXY_SINCE && system.env.NODE_USE_ENV_PROXY === "1") {
    return [ok("reach.proxy", `Downloads go through the proxy ${shown}`)];
  }
  const detail = "Node's own downloads do not use HTTPS_PROXY unless they are told to; npm: models go through npm's.";
  const mend =
    major >= PROXY_SINCE
      ? "export NODE_USE_ENV_PROXY=1"
      : `Use Node ${PROXY_SINCE} or newer with NODE_USE_ENV_PROXY=1, or fetch the file by other means and give its path.`;
  return [warning("reach.proxy", `The proxy ${shown} is set, but downloads do not go through it`, detail, mend)];
}
