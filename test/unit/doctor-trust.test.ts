import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { trustCheck } from "../../src/cli/doctor/trust-check.js";
import { createAuthority, createKey, issue } from "../../src/cluster/trust/certificates.js";
import { look } from "../support/doctor-context.js";

const DIRECTORY = "/home/user/.config/exo-native/cluster";
const DAY = 86_400_000;

/** A machine in a cluster whose certificate is valid in these days from now. */
async function machineWith(from: number, until: number) {
  const now = Date.now();
  const key = await createKey();
  const certificate = await createAuthority("home", key, { from: now - 400 * DAY, until: now + 4000 * DAY });
  const own = await createKey();
  const validity = { from: now + from * DAY, until: now + until * DAY };
  const subject = {
    cluster: "home",
    id: "ab".repeat(16),
    role: "admin",
    publicKey: own.pair.publicKey,
    validity,
  } as const;
  const pem = own.pem + (await issue({ certificate, key }, subject));
  return { files: { [`${DIRECTORY}/cluster.json`]: "{}", [`${DIRECTORY}/node.pem`]: pem } };
}

async function found(machine: Parameters<typeof look>[1]): Promise<readonly string[]> {
  return (await look(trustCheck, machine)).map(({ id, severity, title }) => `${id} ${severity}: ${title}`);
}

describe("the doctor's look at the keys of a cluster", () => {
  test("finds nothing where there are none", async () => {
    assert.deepEqual(await found({}), []);
  });

  test("tells until when the certificate is valid, and when it is not", async () => {
    assert.match((await found(await machineWith(-10, 355)))[0] ?? "", /^trust\.certificate ok: .* as admin/);
    assert.match(
      (await found(await machineWith(-300, 65)))[0] ?? "",
      /^trust\.certificate warning: .* was not replaced/,
    );
    assert.match((await found(await machineWith(-366, -1)))[0] ?? "", /^trust\.certificate problem: .* has ended/);
    assert.match((await found(await machineWith(1, 366)))[0] ?? "", /^trust\.certificate problem: .* not valid yet/);
    const files = { [`${DIRECTORY}/cluster.json`]: "{}", [`${DIRECTORY}/node.pem`]: "nonsense" };
    assert.match((await found({ files }))[0] ?? "", /^trust\.certificate problem: .* cannot be read/);
  });

  test("finds keys that others can read", { skip: process.platform === "win32" }, async () => {
    const machine = await machineWith(-10, 355);
    const modes = { [`${DIRECTORY}/node.pem`]: 0o600, [`${DIRECTORY}/authority.key`]: 0o644 };
    const [first, second] = await look(trustCheck, { ...machine, modes });
    assert.deepEqual(
      [first?.id, first?.severity, first?.mend],
      ["trust.files", "problem", `chmod 600 ${DIRECTORY}/authority.key`],
    );
    assert.equal(second?.severity, "ok");
  });

  test("notes that there is one admin alone", async () => {
    const machine = await machineWith(-10, 355);
    const withMembers = (...roles: string[]) => ({
      files: {
        ...machine.files,
        [`${DIRECTORY}/members.json`]: JSON.stringify({ members: roles.map((role) => ({ role })) }),
      },
    });
    const ids = async (...roles: string[]) => (await look(trustCheck, withMembers(...roles))).map(({ id }) => id);
    assert.deepEqual(await ids("admin"), ["trust.certificate"]);
    assert.deepEqual(await ids("admin", "member"), ["trust.certificate", "trust.admins"]);
    assert.deepEqual(await ids("admin", "member", "admin"), ["trust.certificate"]);
  });
});
