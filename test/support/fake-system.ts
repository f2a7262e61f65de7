import type { NetworkInterfaceInfo } from "node:os";
import type { NativeFacts, NativeReport } from "../../src/cli/doctor/native-facts.js";
import type { CommandResult, DoctorSystem, HttpReply, MulticastResult } from "../../src/cli/doctor/system.js";

const GIB = 2 ** 30;

/** A machine of a test: everything that is not said is not there, or works. */
export interface FakeMachine {
  readonly platform?: NodeJS.Platform;
  readonly nodeVersion?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly isRoot?: boolean;
  /** Text by path. */
  readonly files?: Readonly<Record<string, string>>;
  /** Where links lead. */
  readonly links?: Readonly<Record<string, string>>;
  readonly modes?: Readonly<Record<string, number>>;
  /** What programs print, by command line; another exit code than 0 in an object. */
  readonly commands?: Readonly<Record<string, string | Partial<CommandResult>>>;
  readonly interfaces?: Readonly<Record<string, readonly NetworkInterfaceInfo[]>>;
  /** Error codes by port. */
  readonly refusedPorts?: Readonly<Record<number, string>>;
  /** Error codes by `host:port`. */
  readonly unreachable?: Readonly<Record<string, string>>;
  /** By URL; others do not answer. */
  readonly servers?: Readonly<Record<string, HttpReply | string>>;
  readonly multicast?: (name: string, family: string) => MulticastResult;
  readonly native?: NativeFacts;
  readonly missingTools?: readonly string[];
  readonly freeBytes?: number | null;
  readonly readOnly?: readonly string[];
}

export function fakeSystem(machine: FakeMachine = {}): DoctorSystem {
  const { files = {}, links = {}, commands = {} } = machine;
  const paths = [...Object.keys(files), ...Object.keys(links)];
  return {
    platform: machine.platform ?? "linux",
    arch: "x64",
    nodeVersion: machine.nodeVersion ?? "22.11.0",
    env: machine.env ?? {},
    isRoot: machine.isRoot ?? false,
    processId: 1,
    readText: async (path) => files[path] ?? null,
    list: async (directory) => namesIn(directory, paths),
    readLink: async (path) => links[path] ?? null,
    mode: async (path) => machine.modes?.[path] ?? null,
    mayWrite: async (directory) => machine.readOnly?.includes(directory) !== true,
    freeBytes: async () => (machine.freeBytes === undefined ? 100 * GIB : machine.freeBytes),
    interfaces: () => machine.interfaces ?? {},
    run: async (command, args) => resultOf(commands[[command, ...args].join(" ")]),
    listen: async (_, port) => machine.refusedPorts?.[port] ?? null,
    connect: async (host, port) => machine.unreachable?.[`${host}:${port}`] ?? null,
    ask: async (url) => machine.servers?.[url] ?? "nothing answered in time",
    multicast: async (_, family, name) => {
      return machine.multicast?.(name, family) ?? { heardItself: true, others: [], error: null };
    },
    native: async () => machine.native ?? { works: true, ...nativeReport() },
    missingTools: async () => machine.missingTools ?? [],
  };
}

function namesIn(directory: string, paths: readonly string[]): readonly string[] {
  const inside = paths.filter((path) => path.startsWith(`${directory}/`));
  return [...new Set(inside.map((path) => path.slice(directory.length + 1).split("/")[0] ?? ""))];
}

function resultOf(told: string | Partial<CommandResult> | undefined): CommandResult | null {
  if (told === undefined) return null;
  const result = { code: 0, signal: null, stdout: "", stderr: "" };
  return typeof told === "string" ? { ...result, stdout: told } : { ...result, ...told };
}

/** What the addon finds on a machine with a processor and nothing else. */
export function nativeReport(change: Partial<NativeReport> = {}): NativeReport {
  return {
    llamaTag: "b9000",
    llamaCommit: "0123456789abcdef",
    ggmlOrigin: "prebuilt",
    libraryDirectory: "/opt/exo-native/build/Release",
    cores: 8,
    devices: [{ name: "CPU", description: "a processor", kind: "cpu", memoryFree: 18 * GIB, memoryTotal: 24 * GIB }],
    loaded: ["/opt/exo-native/build/Release/libggml-cpu-haswell.so"],
    ...change,
  };
}

/** An interface with one IPv4 address. */
export function addressOf(address: string, bits = 24): readonly NetworkInterfaceInfo[] {
  return [
    { address, netmask: "", family: "IPv4", mac: "", internal: address.startsWith("127."), cidr: `${address}/${bits}` },
  ];
}
