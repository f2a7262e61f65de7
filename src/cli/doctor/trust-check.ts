import { join } from "node:path";
import { z } from "zod";
import { modeFault } from "../../cluster/trust/private-file.js";
import { PRIVATE_FILES, TrustStore } from "../../cluster/trust/trust-store.js";
import { type CertifiedNode, certifiedNodeOf } from "../../transport/peer-certificate.js";
import type { Check } from "./check.js";
import type { DoctorContext } from "./context.js";
import { type Finding, note, ok, problem, warning } from "./finding.js";

const DAY_MS = 86_400_000;
/** A node that runs beside an admin replaces its certificate half a year before it ends. */
const SOON_MS = 90 * DAY_MS;

const REJOIN =
  "On an admin: npx exo-native cluster invite. Here: npx exo-native cluster leave, then npx exo-native serve --join <token>";

/** The keys of a cluster with a secret, if this machine is in one. */
export const trustCheck: Check = {
  subject: "the keys of the cluster",
  run: async (context) => {
    const { directory } = new TrustStore(context.config.paths.configDir);
    const facts = await context.system.readText(join(directory, "cluster.json"));
    if (facts === null) return [];
    return [
      ...(await openFiles(directory, context)),
      await certificate(directory, context),
      ...(await admins(directory, context)),
    ];
  },
};

async function openFiles(directory: string, { system }: DoctorContext): Promise<readonly Finding[]> {
  const modes = await Promise.all(
    PRIVATE_FILES.map(async (name) => ({
      path: join(directory, name),
      mode: await system.mode(join(directory, name)),
    })),
  );
  return modes.flatMap(({ path, mode }) => {
    const fault = mode === null ? null : modeFault(path, mode);
    if (fault === null) return [];
    return [problem("trust.files", "Others on this machine can read a private key", `${fault}.`, `chmod 600 ${path}`)];
  });
}

async function certificate(directory: string, { system }: DoctorContext): Promise<Finding> {
  const path = join(directory, "node.pem");
  const own = certificateIn((await system.readText(path)) ?? "");
  if (own === null)
    return problem("trust.certificate", "This node's certificate cannot be read", `${path} is damaged.`, REJOIN);
  const now = Date.now();
  const until = new Date(own.notAfter).toISOString().slice(0, 10);
  if (now < own.notBefore) {
    return problem(
      "trust.certificate",
      "By this machine's clock its certificate is not valid yet",
      `It is valid from ${new Date(own.notBefore).toISOString()}; this machine takes it to be ${new Date(now).toISOString()}.`,
      "Set the clock by the network (NTP).",
    );
  }
  if (now > own.notAfter) {
    return problem("trust.certificate", "This node's certificate has ended", `It was valid until ${until}.`, REJOIN);
  }
  if (own.notAfter - now < SOON_MS) {
    return warning(
      "trust.certificate",
      `This node's certificate ends on ${until}, and was not replaced`,
      "A node gets a new one from an admin of its cluster when both run.",
      "Start this node beside an admin: npx exo-native cluster members tells which machines are.",
    );
  }
  return ok(
    "trust.certificate",
    `This machine is in a cluster with a secret, as ${own.role}; its certificate is valid until ${until}`,
  );
}

function certificateIn(text: string): CertifiedNode | null {
  const [pem] = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/.exec(text) ?? [];
  try {
    return pem === undefined ? null : certifiedNodeOf(pem);
  } catch {
    return null;
  }
}

const membersSchema = z.object({ members: z.array(z.object({ role: z.string() })) });

async function admins(directory: string, { system }: DoctorContext): Promise<readonly Finding[]> {
  const text = await system.readText(join(directory, "members.json"));
  const known = membersSchema.safeParse(text === null ? null : parsed(text));
  if (!known.success || known.data.members.length < 2) return [];
  if (known.data.members.filter(({ role }) => role === "admin").length !== 1) return [];
  return [
    note(
      "trust.admins",
      "The cluster has one admin",
      "If that machine is lost, nobody can be let in or put out any more.",
      "On it: npx exo-native cluster invite --admin",
    ),
  ];
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
