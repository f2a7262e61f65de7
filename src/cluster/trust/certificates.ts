import { createHash, createPrivateKey, createPublicKey, webcrypto, X509Certificate } from "node:crypto";
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  type Extension,
  type JsonName,
  KeyUsageFlags,
  KeyUsagesExtension,
  Pkcs10CertificateRequest,
  Pkcs10CertificateRequestGenerator,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509CertificateGenerator,
} from "@peculiar/x509";
import { ExoError } from "../../core/errors.js";
import { TLS_NAME } from "../../transport/credentials.js";
import type { Role } from "../../transport/peer-certificate.js";

/** ECDSA on P-256: every TLS 1.3 implementation has it. */
const KEY = { name: "ECDSA", namedCurve: "P-256" } as const;
const SIGNATURE = { name: "ECDSA", hash: "SHA-256" } as const;
const { subtle } = webcrypto;

export interface Key {
  /** PKCS #8, PEM. */
  readonly pem: string;
  readonly pair: { readonly privateKey: webcrypto.CryptoKey; readonly publicKey: webcrypto.CryptoKey };
}

/** One that signs. */
export interface Signer {
  /** PEM. */
  readonly certificate: string;
  readonly key: Key;
}

export interface Validity {
  /** Milliseconds since the Unix epoch. */
  readonly from: number;
  readonly until: number;
}

export async function createKey(): Promise<Key> {
  const pair = await subtle.generateKey(KEY, true, ["sign", "verify"]);
  const der = Buffer.from(await subtle.exportKey("pkcs8", pair.privateKey));
  const pem = createPrivateKey({ key: der, format: "der", type: "pkcs8" }).export({ format: "pem", type: "pkcs8" });
  return { pem: pem.toString(), pair };
}

/** Throws what is no key of the kind that `createKey` makes. */
export async function readKey(pem: string): Promise<Key> {
  const der = createPrivateKey(pem).export({ format: "der", type: "pkcs8" });
  const publicDer = createPublicKey(pem).export({ format: "der", type: "spki" });
  const privateKey = await subtle.importKey("pkcs8", der, KEY, true, ["sign"]);
  return { pem, pair: { privateKey, publicKey: await subtle.importKey("spki", publicDer, KEY, true, ["verify"]) } };
}

/** A new authority, which signs itself. */
export async function createAuthority(cluster: string, key: Key, { from, until }: Validity): Promise<string> {
  const certificate = await X509CertificateGenerator.createSelfSigned({
    serialNumber: serialNumber(),
    name: authorityName(cluster, await publicDer(key)),
    notBefore: new Date(from),
    notAfter: new Date(until),
    signingAlgorithm: SIGNATURE,
    keys: key.pair,
    extensions: [...AUTHORITY_EXTENSIONS, await SubjectKeyIdentifierExtension.create(key.pair.publicKey)],
  });
  return `${certificate.toString("pem")}\n`;
}

/** The key of a new authority, signed by the one before: who trusts only that one trusts the new one, too. */
export async function crossSign(cluster: string, key: Key, signer: Signer, { from, until }: Validity): Promise<string> {
  return sign(signer, {
    publicKey: key.pair.publicKey,
    subject: authorityName(cluster, await publicDer(key)),
    validity: { from, until },
    extensions: AUTHORITY_EXTENSIONS,
  });
}

export interface NodeCertificate {
  readonly cluster: string;
  readonly id: string;
  readonly role: Role;
  readonly publicKey: webcrypto.CryptoKey;
  readonly validity: Validity;
}

/** A node's certificate, for both ends of its connections. */
export async function issue(
  signer: Signer,
  { cluster, id, role, publicKey, validity }: NodeCertificate,
): Promise<string> {
  return sign(signer, {
    publicKey,
    subject: [{ CN: [id] }, { OU: [role] }, { O: [cluster] }],
    validity,
    extensions: [
      new BasicConstraintsExtension(false, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
      new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth, ExtendedKeyUsage.clientAuth]),
      new SubjectAlternativeNameExtension([{ type: "dns", value: TLS_NAME }]),
    ],
  });
}

/** PKCS #10, DER. Its name says nothing: the authority chooses it. */
export async function createRequest(key: Key): Promise<Buffer> {
  const params = { name: "CN=exo-native", keys: key.pair, signingAlgorithm: SIGNATURE };
  return Buffer.from((await Pkcs10CertificateRequestGenerator.create(params)).rawData);
}

export interface CertificateRequest {
  readonly publicKey: webcrypto.CryptoKey;
  /** Of a node whose first key this is. */
  readonly id: string;
}

/** Throws `invalid_argument` unless whoever made it has the private key. */
export async function readRequest(der: Uint8Array): Promise<CertificateRequest> {
  try {
    const request = new Pkcs10CertificateRequest(new Uint8Array(der));
    const spki = Buffer.from(request.publicKey.rawData);
    const publicKey = await subtle.importKey("spki", spki, KEY, true, ["verify"]);
    if (await request.verify()) return { publicKey, id: idOf(spki) };
  } catch (thrown) {
    throw badRequest(thrown);
  }
  throw badRequest(null);
}

function badRequest(cause: unknown): ExoError {
  return new ExoError(
    "invalid_argument",
    "The request for a certificate cannot be read; run the same release on both.",
    {
      cause,
    },
  );
}

/** SHA-256 of a certificate's public key, hexadecimal. */
export function keyFingerprint(certificate: string): string {
  const spki = new X509Certificate(certificate).publicKey.export({ format: "der", type: "spki" });
  return createHash("sha256").update(spki).digest("hex");
}

/** The id of a node whose first public key this is (DER). */
export function idOf(spki: Uint8Array): string {
  return createHash("sha256").update(spki).digest("hex").slice(0, 32);
}

export async function publicDer({ pair }: Key): Promise<Buffer> {
  return Buffer.from(await subtle.exportKey("spki", pair.publicKey));
}

interface Subject {
  readonly publicKey: webcrypto.CryptoKey;
  readonly subject: JsonName;
  readonly validity: Validity;
  readonly extensions: readonly Extension[];
}

async function sign(signer: Signer, { publicKey, subject, validity, extensions }: Subject): Promise<string> {
  const issuer = new X509Certificate(signer.certificate);
  const certificate = await X509CertificateGenerator.create({
    serialNumber: serialNumber(),
    subject,
    issuer: authorityName(nameIn(issuer, "O"), await publicDer(signer.key)),
    notBefore: new Date(validity.from),
    notAfter: new Date(Math.min(validity.until, Date.parse(issuer.validTo))),
    signingAlgorithm: SIGNATURE,
    publicKey,
    signingKey: signer.key.pair.privateKey,
    extensions: [
      ...extensions,
      await SubjectKeyIdentifierExtension.create(publicKey),
      await AuthorityKeyIdentifierExtension.create(signer.key.pair.publicKey),
    ],
  });
  return `${certificate.toString("pem")}\n`;
}

const AUTHORITY_EXTENSIONS = [
  new BasicConstraintsExtension(true, undefined, true),
  new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.digitalSignature, true),
];

/** The key is in the name, so that authorities that follow each other are told apart. */
function authorityName(cluster: string, spki: Buffer): JsonName {
  return [{ CN: [`exo-native authority ${idOf(spki).slice(0, 8)}`] }, { O: [cluster] }];
}

/** Of the cluster that a certificate is for. */
export function clusterIn(certificate: string): string {
  return nameIn(new X509Certificate(certificate), "O");
}

function nameIn(certificate: X509Certificate, field: "O"): string {
  const value: unknown = certificate.toLegacyObject().subject?.[field];
  return typeof value === "string" ? value : "";
}

/** Positive in DER: the first bit is 0. */
function serialNumber(): string {
  const bytes = webcrypto.getRandomValues(Buffer.alloc(16));
  bytes[0] = 0x40 | ((bytes[0] ?? 0) & 0x3f);
  return bytes.toString("hex");
}
