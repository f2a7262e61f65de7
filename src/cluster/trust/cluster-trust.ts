import { X509Certificate } from "node:crypto";
import { DEFAULT_GRPC_PORT } from "../../config/options.js";
import { ExoError } from "../../core/errors.js";
import { shortId } from "../../core/ids.js";
import { type Clock, systemClock } from "../../core/ports.js";
import { type CertifiedNode, certifiedNodeOf } from "../../transport/peer-certificate.js";
import type { TrustState } from "../../transport/trust-service.js";
import type { TrustMaterial, TrustView } from "../../transport/trust-view.js";
import { isNew, mergeAuthorities, newest, trustedAt } from "./authorities.js";
import { createKey, createRequest, type Key, readRequest, type Signer } from "./certificates.js";
import { mergeRevocations, revokedSentence } from "./revocations.js";
import { issueNow, requireIssued, signerOf } from "./signer.js";
import { type TrustFiles, TrustStore } from "./trust-store.js";

/** What a running node knows of its cluster's keys, and keeps of it. */
export class ClusterTrust implements TrustView {
  readonly store: TrustStore;
  readonly clock: Clock;
  /** As in this node's certificate. */
  readonly id: string;
  readonly #listeners = new Set<() => void>();
  readonly #met = new Map<string, CertifiedNode>();
  #files: TrustFiles;
  #own: CertifiedNode;
  #version: string;
  #hasLeft = false;
  /** Authorities that counted when it was last looked at. */
  #trusted: number;

  private constructor(store: TrustStore, clock: Clock, files: TrustFiles, version: string) {
    this.store = store;
    this.clock = clock;
    this.#files = files;
    this.#version = version;
    this.#own = requireCertified(files);
    this.id = this.#own.id;
    this.#trusted = this.#trustedNow().length;
  }

  /** `null`: the node is in no cluster with a secret. */
  static async open(configDir: string, clock: Clock = systemClock): Promise<ClusterTrust | null> {
    const store = new TrustStore(configDir);
    const version = await store.version();
    const files = await store.read();
    return files === null ? null : new ClusterTrust(store, clock, files, version);
  }

  get cluster(): string {
    return this.#files.facts.name;
  }

  /** This node's own certificate. */
  get own(): CertifiedNode {
    return this.#own;
  }

  /** `host:port` of nodes that were there when this one joined. */
  get peers(): readonly string[] {
    return this.#files.facts.peers;
  }

  /** Several nodes of one machine share its certificate; the usual port stands for the certificate's own id. */
  nodeId(grpcPort: number): string {
    if (grpcPort === DEFAULT_GRPC_PORT) return this.id;
    return `${this.id}.${grpcPort === 0 ? shortId() : grpcPort}`;
  }

  material(): TrustMaterial {
    const { node } = this.#files;
    const trusted = this.#trustedNow();
    return {
      key: node.key,
      certificates: node.certificate + this.#issuerOf(node.certificate),
      authorities: trusted.map(({ certificate }) => certificate),
    };
  }

  whyRefused({ id }: CertifiedNode): string | null {
    if (this.#hasLeft) return "This machine left the cluster.";
    const revocation = this.#files.facts.revocations.find(({ nodeId }) => nodeId === id);
    return revocation === undefined ? null : revokedSentence(revocation);
  }

  met(peer: CertifiedNode): void {
    this.#met.set(peer.id, peer);
  }

  /** Nodes of the cluster that there was a connection with. */
  known(): readonly CertifiedNode[] {
    return [...this.#met.values()];
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  state(): TrustState {
    const { authorities, revocations } = this.#files.facts;
    return { authorities, revocations };
  }

  /** Who signs here; `null`: this node is no admin, or does not have the newest authority's key yet. */
  signer(): Promise<Signer | null> {
    return signerOf(this.#files.facts.authorities, this.#files.authorityKey);
  }

  /** Takes what a member knows, and keeps it. */
  async take(theirs: TrustState): Promise<void> {
    await this.keep(theirs);
    await this.reload();
  }

  /** The same, but it counts only when the files are looked at again. */
  async keep(theirs: TrustState): Promise<void> {
    if (!this.#isNews(theirs)) return;
    await this.store.change((kept) => {
      const authorities = mergeAuthorities(kept.authorities, theirs.authorities, this.clock.wall());
      const revocations = mergeRevocations(kept.revocations, theirs.revocations, authorities);
      const isSame = authorities === kept.authorities && revocations === kept.revocations;
      return isSame ? kept : { ...kept, authorities, revocations };
    });
  }

  /** Another process of this machine may have changed the files: `cluster revoke`, say. */
  async reload(): Promise<void> {
    const version = await this.store.version();
    if (version !== this.#version) {
      this.#version = version;
      const files = await this.store.read();
      this.#hasLeft = files === null || requireCertified(files).id !== this.id;
      if (files !== null && !this.#hasLeft) this.#use(files);
      this.#changed();
    } else if (this.#trustedNow().length !== this.#trusted) {
      this.#trusted = this.#trustedNow().length;
      this.#changed();
    }
  }

  /** This node's certificate is to be replaced: half of its time is over, or the authority is a new one. */
  needsRenewal(): boolean {
    if (this.#hasLeft) return false;
    const { notBefore, notAfter } = this.#own;
    if (this.clock.wall() > (notBefore + notAfter) / 2) return true;
    const current = newest(this.#files.facts.authorities);
    return current !== null && !isSignedBy(this.#files.node.certificate, current.certificate);
  }

  /** An admin whose key of the newest authority is missing; the certificate alone does not make one. */
  async lacksAuthorityKey(): Promise<boolean> {
    return !this.#hasLeft && this.#own.role === "admin" && (await this.signer()) === null;
  }

  /** A new key with a new certificate. `ask` gives the certificate for a request, and with it the authority's key to an admin. */
  async renew(ask: (request: Buffer) => Promise<{ certificate: string; authorityKey: string }>): Promise<void> {
    const key = await createKey();
    const { certificate, authorityKey } = await ask(await createRequest(key));
    await this.#replace(key, certificate, authorityKey);
  }

  /** The same for a node that can sign itself. */
  async renewBy(signer: Signer): Promise<void> {
    await this.renew(async (request) => {
      const { publicKey } = await readRequest(request);
      const { id, role } = this.#own;
      const certificate = await issueNow(signer, this.cluster, { id, role, publicKey }, this.clock.wall());
      return { certificate, authorityKey: "" };
    });
  }

  async #replace(key: Key, certificate: string, authorityKey: string): Promise<void> {
    requireIssued(certificate, key, this.#files.facts.authorities);
    if (certifiedNodeOf(certificate)?.id !== this.id) {
      throw new ExoError("unauthorized", "The certificate that came is one of another node.");
    }
    await this.store.locked(async () => {
      if (authorityKey !== "") await this.store.replaceAuthorityKey(authorityKey + (this.#files.authorityKey ?? ""));
      await this.store.replaceNode({ key: key.pem, certificate });
    });
    await this.reload();
  }

  #use(files: TrustFiles): void {
    this.#files = files;
    this.#own = requireCertified(files);
    this.#trusted = this.#trustedNow().length;
  }

  #isNews({ authorities, revocations }: TrustState): boolean {
    const known = this.#files.facts;
    return (
      authorities.some((one) => isNew(one, known.authorities)) ||
      revocations.some((one) => !known.revocations.some(({ nodeId }) => nodeId === one.nodeId))
    );
  }

  #trustedNow() {
    return trustedAt(this.#files.facts.authorities, this.clock.wall());
  }

  /** Goes along with the certificate: by its older signature, while that counts, for nodes that know the older authority alone. */
  #issuerOf(certificate: string): string {
    const issuer = this.#files.facts.authorities.find((one) => isSignedBy(certificate, one.certificate));
    if (issuer === undefined) return "";
    const { crossCertificate } = issuer;
    const counts =
      crossCertificate !== "" && Date.parse(new X509Certificate(crossCertificate).validTo) > this.clock.wall();
    return counts ? crossCertificate : issuer.certificate;
  }

  #changed(): void {
    for (const listener of this.#listeners) listener();
  }
}

function requireCertified({ node }: TrustFiles): CertifiedNode {
  const own = certifiedNodeOf(node.certificate);
  if (own !== null) return own;
  throw new ExoError("invalid_argument", "This node's certificate is not one of a node; join the cluster again.");
}

function isSignedBy(certificate: string, authority: string): boolean {
  return new X509Certificate(certificate).verify(new X509Certificate(authority).publicKey);
}
