import { keyFingerprint } from "../../cluster/trust/certificates.js";
import { requireCluster, requireSigner, revoke, rotateAuthority } from "../../cluster/trust/change-cluster.js";
import { foundCluster } from "../../cluster/trust/found-cluster.js";
import { InviteBook } from "../../cluster/trust/invites.js";
import { joinCluster as join } from "../../cluster/trust/join-cluster.js";
import { leaveCluster as leave, leftWithoutAdmin } from "../../cluster/trust/leave-cluster.js";
import { TrustStore } from "../../cluster/trust/trust-store.js";
import { parseHostPort } from "../../config/address.js";
import { CLUSTER_NAME } from "../../config/cluster-name.js";
import type { Config } from "../../config/config.js";
import { parseDuration } from "../../config/duration.js";
import { formatJoinToken, parseJoinToken } from "../../config/join-token.js";
import { DEFAULT_GRPC_PORT } from "../../config/options.js";
import { ExoError } from "../../core/errors.js";
import { memberLines, membersDocument } from "../cluster/members.js";
import { invitePeers, runningNode } from "../cluster/own-node.js";
import { qrLines } from "../cluster/qr.js";
import { readConfig } from "../config-flags.js";
import { UsageError } from "../failure.js";
import type { CliIo } from "../terminal/cli-io.js";
import { paintFor } from "../terminal/paint.js";

type Options = Readonly<Record<string, unknown>>;

/** Milliseconds. Shorter, nobody could type it; longer, nobody would know of it any more. */
const SHORTEST_INVITE = 10_000;
const LONGEST_INVITE = 90 * 86_400_000;
/** Milliseconds in which every node that runs has asked for its new certificate. */
const SHORTEST_OVERLAP = 600_000;
const LONGEST_OVERLAP = 365 * 86_400_000;

export async function initCluster(options: Options, io: CliIo): Promise<void> {
  const name = String(options.name);
  if (!CLUSTER_NAME.test(name)) {
    throw new UsageError(
      `Expected a name of at most 63 letters, digits, dots, dashes or underscores for --name, received "${name}".`,
    );
  }
  const store = storeOf(await settings(options, io));
  if (await store.exists()) {
    throw new ExoError(
      "invalid_argument",
      "This machine is in a cluster already: exo-native cluster members shows it. To make another one, leave it first: exo-native cluster leave",
    );
  }
  const { id, nodeId } = await foundCluster(store, name, Date.now());
  if (options.json === true) return printJson({ cluster: { name, id }, node: { id: nodeId, role: "admin" } }, io);
  say(io, [
    `The cluster "${name}" is made; this machine is its first member and its admin.`,
    `Its keys are in ${store.directory}.`,
    "",
    ...steps(io, [
      ["npx exo-native serve", "start this machine's node, or start it again if it runs"],
      ["npx exo-native cluster invite", "a token for each other machine"],
      ["npx exo-native cluster invite --admin", "for one that could take over if this one is lost"],
    ]),
  ]);
}

export async function inviteNode(options: Options, io: CliIo): Promise<void> {
  const config = await settings(options, io);
  const store = storeOf(config);
  const files = await requireCluster(store);
  const { certificate } = await requireSigner(files);
  const lifetimeMs = duration(options.expires, "--expires", SHORTEST_INVITE, LONGEST_INVITE);
  const uses = Number(options.uses);
  const node = await runningNode(config, options.url);
  const peers = given(options.address) ?? invitePeers(config.grpc, node);
  const invite = await new InviteBook(store).create({ lifetimeMs, uses, admin: options.admin === true }, Date.now());
  const token = formatJoinToken({
    authority: keyFingerprint(certificate),
    inviteId: invite.id,
    secret: invite.secret,
    expiresAt: invite.expiresAt,
    peers,
  });
  const until = new Date(invite.expiresAt).toISOString();
  if (options.json === true) return printJson({ token, expires: until, uses, admin: options.admin === true }, io);
  const whom = uses === 1 ? "one machine" : `${uses} machines`;
  const role = options.admin === true ? ", which may then invite and revoke, too" : "";
  say(io, [
    `A token for ${whom}${role}, until ${shortTime(until)}. On that machine:`,
    "",
    `  npx exo-native serve --join ${token}`,
    ...(options.qr === true ? ["", ...qrLines(token)] : []),
    "",
    "Whoever has it can join, so hand it over as you would a password.",
    ...(node === null ? ["No node runs here: start one (npx exo-native serve), for the token is taken to it."] : []),
  ]);
}

export async function joinCluster(text: string, options: Options, io: CliIo): Promise<void> {
  const config = await settings(options, io);
  const token = parseJoinToken(text, DEFAULT_GRPC_PORT);
  if (token === null) throw new UsageError(notAToken(text));
  const { cluster, nodeId, role } = await join(storeOf(config), token, config.name, Date.now());
  if (options.json === true) return printJson({ cluster: { name: cluster }, node: { id: nodeId, role } }, io);
  say(io, [
    `This machine is in the cluster "${cluster}" now${role === "admin" ? ", as an admin" : ""}.`,
    "",
    ...steps(io, [["npx exo-native serve", "start its node, or start it again if it runs"]]),
  ]);
}

function notAToken(text: string): string {
  if (text.trim().toLowerCase().startsWith("exo-native://")) {
    return "That is an invite to an open cluster, which has no secret: npx exo-native serve --open --join <invite>";
  }
  return 'Expected a whole token such as "exo-join-AbC...", as cluster invite prints it; this one was cut, changed, or is of another release.';
}

export async function leaveCluster(options: Options, io: CliIo): Promise<void> {
  const config = await settings(options, io);
  const store = storeOf(config);
  const { facts } = await requireCluster(store);
  const without = await leftWithoutAdmin(store);
  if (without.length > 0 && options.force !== true) {
    throw new ExoError(
      "invalid_argument",
      `This machine is the only admin: without it nobody could invite or revoke any more (${without.join(", ")}). Make another one first ` +
        "(exo-native cluster invite --admin), or leave all the same with --force.",
    );
  }
  const node = await runningNode(config, options.url);
  const known = [...(node?.others ?? []), ...facts.peers].flatMap(
    (peer) => parseHostPort(peer, DEFAULT_GRPC_PORT) ?? [],
  );
  const { cluster, told } = await leave(config.paths.configDir, known);
  if (options.json === true) return printJson({ left: cluster, told }, io);
  say(io, [
    `This machine is out of the cluster "${cluster}", and its keys are removed.`,
    told
      ? "The others know."
      : "No admin could be told: on one of them, run exo-native cluster revoke with this machine's name.",
    ...(node === null ? [] : ["The node that runs here is cut off; start it again."]),
  ]);
}

export async function listMembers(options: Options, io: CliIo): Promise<void> {
  const config = await settings(options, io);
  const document = await membersDocument(storeOf(config), await runningNode(config, options.url));
  if (options.json === true) return printJson(document, io);
  say(io, memberLines(document, paintFor(io.stdout, io.env)));
}

export async function revokeNode(node: string, options: Options, io: CliIo): Promise<void> {
  const { id, name, role } = await revoke(storeOf(await settings(options, io)), node, Date.now());
  if (options.json === true) return printJson({ revoked: { id, name } }, io);
  say(io, [
    `${name} (${id}) is out. The node that runs here tells the others; if none runs, it does when it is started.`,
    ...(role === "admin"
      ? [
          "It was an admin, so it has the authority's key: give the cluster another one (exo-native cluster rotate --overlap 10m). If it is in",
          "somebody else's hands, make a new cluster: docs/security.md tells why.",
        ]
      : []),
  ]);
}

export async function rotateCluster(options: Options, io: CliIo): Promise<void> {
  const overlap = duration(options.overlap, "--overlap", SHORTEST_OVERLAP, LONGEST_OVERLAP);
  const { until } = await rotateAuthority(storeOf(await settings(options, io)), overlap, Date.now());
  const end = new Date(until).toISOString();
  if (options.json === true) return printJson({ former_counts_until: end }, io);
  say(io, [
    "The cluster has a new authority. Nodes that run get new certificates within seconds.",
    `Certificates of the former one count until ${shortTime(end)}: a machine that is not started before needs a new token.`,
    "Tokens that were made before cannot be used any more.",
  ]);
}

function settings(options: Options, io: CliIo): Promise<Config> {
  // Here --name may be the cluster's.
  return readConfig(options, io);
}

function storeOf({ paths }: Config): TrustStore {
  return new TrustStore(paths.configDir);
}

function duration(input: unknown, flag: string, least: number, most: number): number {
  const seconds = parseDuration(String(input));
  if (seconds !== null && seconds * 1000 >= least && seconds * 1000 <= most) return seconds * 1000;
  throw new UsageError(
    `Expected a time from ${least / 1000}s to ${most / 86_400_000}d, such as "10m", "1h" or "2d", for ${flag}, received "${String(input)}".`,
  );
}

function given(addresses: unknown) {
  if (!Array.isArray(addresses)) return null;
  return addresses.map((text) => {
    const address = parseHostPort(String(text), DEFAULT_GRPC_PORT);
    if (address !== null) return address;
    throw new UsageError(`Expected an address such as "192.168.1.20:52416" for --address, received "${String(text)}".`);
  });
}

function steps(io: CliIo, all: readonly (readonly [command: string, what: string])[]): readonly string[] {
  const width = Math.max(...all.map(([command]) => command.length));
  const paint = paintFor(io.stdout, io.env);
  return all.map(([command, what]) => `  ${command.padEnd(width)}  ${paint("dim", what)}`);
}

function shortTime(iso: string): string {
  return `${iso.slice(0, 16).replace("T", " ")} UTC`;
}

function say(io: CliIo, lines: readonly string[]): void {
  io.stdout.write(`${lines.join("\n")}\n`);
}

function printJson(document: unknown, io: CliIo): void {
  io.stdout.write(`${JSON.stringify(document, null, 2)}\n`);
}
