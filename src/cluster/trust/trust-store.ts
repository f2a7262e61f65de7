import { randomUUID } from "node:crypto";
import { mkdir, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { z } from "zod";
import { ExoError } from "../../core/errors.js";
import { withFileLock } from "../../model/file-lock.js";
import { trustStateSchema } from "../../transport/trust-messages.js";
import type { TrustState } from "../../transport/trust-service.js";
import { readPrivate, writePrivate } from "./private-file.js";

/** What is kept of a cluster beside keys. */
export interface ClusterFacts extends TrustState {
  /** The cluster's name. */
  readonly name: string;
  /** SHA-256 of the first authority's public key: what the cluster is known by. */
  readonly id: string;
  /** `host:port` of nodes that were there when this one joined. */
  readonly peers: readonly string[];
}

/** A node's own key and certificate, PEM, in one file so that they change together. */
export interface NodeIdentity {
  readonly key: string;
  readonly certificate: string;
}

export interface TrustFiles {
  readonly facts: ClusterFacts;
  readonly node: NodeIdentity;
  /** PEM of the authority's private key; `null` unless this node is an admin. */
  readonly authorityKey: string | null;
}

const FACTS = "cluster.json";
const NODE = "node.pem";
const AUTHORITY = "authority.key";
export const INVITES = "invites.json";
export const MEMBERS = "members.json";
/** Files with secrets. */
export const PRIVATE_FILES: readonly string[] = [NODE, AUTHORITY, INVITES];

const LOCK_MS = 10_000;
const PEM = /-----BEGIN [A-Z ]+-----[\s\S]+?-----END [A-Z ]+-----\n?/g;

const factsSchema = z
  .object({ version: z.literal(1), name: z.string(), id: z.string(), peers: z.array(z.string()) })
  .and(trustStateSchema);

/** The directory `cluster` of the configuration, which is there when the node is in a cluster with a secret. */
export class TrustStore {
  readonly directory: string;

  constructor(configDir: string) {
    this.directory = join(configDir, "cluster");
  }

  path(name: string): string {
    return join(this.directory, name);
  }

  async exists(): Promise<boolean> {
    return (await stat(this.path(FACTS)).catch(() => null)) !== null;
  }

  /** `null`: the node is in no cluster with a secret. */
  async read(): Promise<TrustFiles | null> {
    const facts = await readPrivate(this.path(FACTS));
    if (facts === null) return null;
    const node = readPems((await readPrivate(this.path(NODE))) ?? "");
    if (node === null) throw this.#damaged(NODE);
    return { facts: this.#parse(facts), node, authorityKey: await readPrivate(this.path(AUTHORITY)) };
  }

  /** All files at once. Refused when there are some. */
  async create({ facts, node, authorityKey }: TrustFiles): Promise<void> {
    const fresh = `${this.directory}.${randomUUID()}`;
    try {
      await mkdir(fresh, { recursive: true, mode: 0o700 });
      await writePrivate(join(fresh, FACTS), textOf(facts));
      await writePrivate(join(fresh, NODE), node.key + node.certificate);
      if (authorityKey !== null) await writePrivate(join(fresh, AUTHORITY), authorityKey);
      await rename(fresh, this.directory);
    } catch (thrown) {
      await rm(fresh, { recursive: true, force: true });
      if (await this.exists())
        throw new ExoError("invalid_argument", "This node is in a cluster already.", { cause: thrown });
      throw thrown;
    }
  }

  /** One process at a time. What `change` returns is kept. */
  async change(change: (facts: ClusterFacts) => ClusterFacts): Promise<ClusterFacts> {
    return this.locked(async () => {
      const before = this.#parse((await readPrivate(this.path(FACTS))) ?? "");
      const after = change(before);
      if (after !== before) await writePrivate(this.path(FACTS), textOf(after));
      return after;
    });
  }

  async replaceNode({ key, certificate }: NodeIdentity): Promise<void> {
    await writePrivate(this.path(NODE), key + certificate);
  }

  async replaceAuthorityKey(pem: string): Promise<void> {
    await writePrivate(this.path(AUTHORITY), pem);
  }

  /** Runs `work` while no other process changes these files. */
  async locked<Result>(work: () => Promise<Result>): Promise<Result> {
    const signal = AbortSignal.timeout(LOCK_MS);
    const sleep = async (milliseconds: number): Promise<void> => {
      await delay(milliseconds, undefined, { signal });
    };
    return withFileLock(this.path(FACTS), { signal, sleep, onWait: async () => {} }, work);
  }

  /** Tells whether anything may have changed since it was last asked. */
  async version(): Promise<string> {
    const files = [FACTS, NODE, AUTHORITY].map((name) => stat(this.path(name)).catch(() => null));
    return (await Promise.all(files)).map((found) => `${found?.ino}:${found?.mtimeMs}`).join(" ");
  }

  async remove(): Promise<void> {
    await rm(this.directory, { recursive: true, force: true });
  }

  #parse(text: string): ClusterFacts {
    try {
      const { version: _, ...facts } = factsSchema.parse(JSON.parse(text));
      return facts;
    } catch (thrown) {
      throw this.#damaged(FACTS, thrown);
    }
  }

  #damaged(name: string, cause?: unknown): ExoError {
    return new ExoError(
      "invalid_argument",
      `${this.path(name)} is damaged. Remove ${this.directory} and join the cluster again, with a new token.`,
      { cause },
    );
  }
}

function textOf(facts: ClusterFacts): string {
  return `${JSON.stringify({ version: 1, ...facts }, null, 2)}\n`;
}

function readPems(text: string): NodeIdentity | null {
  const blocks = text.match(PEM) ?? [];
  const key = blocks.find((block) => block.includes("PRIVATE KEY"));
  const certificate = blocks.find((block) => block.includes("CERTIFICATE"));
  return key === undefined || certificate === undefined ? null : { key, certificate };
}
