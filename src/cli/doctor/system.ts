import type { NetworkInterfaceInfo } from "node:os";
import type { NativeFacts } from "./native-facts.js";

export interface CommandResult {
  /** `null`: it was ended by a signal. */
  readonly code: number | null;
  readonly signal: string | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** What a server said to a short question. */
export interface HttpReply {
  readonly status: number;
  /** By its clock, when it answered: milliseconds since the epoch; `null`: it did not tell. */
  readonly serverTime: number | null;
  /** By this machine's clock, likewise. */
  readonly ownTime: number;
}

/** What came of sending to a multicast group through one interface. */
export interface MulticastResult {
  /** Own packets came back, so that sending and receiving work on this machine. */
  readonly heardItself: boolean;
  /** Addresses of other machines that sent something meanwhile. */
  readonly others: readonly string[];
  /** An error code of the system, e.g. `EADDRINUSE`; `null`: nothing was refused. */
  readonly error: string | null;
}

/** What the doctor asks of a machine. Nothing here rejects: what cannot be had is `null` or an empty list. */
export interface DoctorSystem {
  readonly platform: NodeJS.Platform;
  readonly arch: string;
  readonly nodeVersion: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly isRoot: boolean;
  readonly processId: number;
  /** Text of a file. */
  readText(path: string): Promise<string | null>;
  /** Names in a directory. */
  list(directory: string): Promise<readonly string[]>;
  readLink(path: string): Promise<string | null>;
  /** Permission bits. */
  mode(path: string): Promise<number | null>;
  /** Whether a file can be made in this directory, or the directory where it is missing. */
  mayWrite(directory: string): Promise<boolean>;
  /** Bytes that this user may still write below the directory, or below the nearest one above it that exists. */
  freeBytes(directory: string): Promise<number | null>;
  interfaces(): Readonly<Record<string, readonly NetworkInterfaceInfo[] | undefined>>;
  /** Runs a program without a shell, for a few seconds at most; `null`: there is no such program. */
  run(command: string, args: readonly string[]): Promise<CommandResult | null>;
  /** Listens for a moment; the system's error code, or `null`: it works. */
  listen(host: string, port: number): Promise<string | null>;
  /** Connects for a moment; likewise. */
  connect(host: string, port: number): Promise<string | null>;
  /** A reply, or the reason why there is none, as a clause. */
  ask(url: string): Promise<HttpReply | string>;
  /** @param address of the interface; with IPv6 its scope is the interface's name */
  multicast(address: string, family: "IPv4" | "IPv6", name: string): Promise<MulticastResult>;
  /** What the native addon finds, in a process of its own: a crash there is an answer too. */
  native(): Promise<NativeFacts>;
  /** A sentence for each tool that building the addon would need and that is not here. */
  missingTools(): Promise<readonly string[]>;
}
