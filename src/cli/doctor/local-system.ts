import { execFile } from "node:child_process";
import { constants } from "node:fs";
import { access, readdir, readFile, readlink, stat, statfs } from "node:fs/promises";
import { connect, createServer } from "node:net";
import { networkInterfaces } from "node:os";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { missingTools } from "../../../native/tools.js";
import { askServer } from "./ask-server.js";
import { probeMulticast } from "./multicast-probe.js";
import { type NativeFacts, nativeReport } from "./native-facts.js";
import type { CommandResult, DoctorSystem, HttpReply } from "./system.js";

/** Milliseconds. */
const COMMAND_LIMIT = 8000;
const CONNECT_LIMIT = 3000;

const OUTPUT_LIMIT = 2 ** 22;

/** Letters of other languages in answers would not be understood. */
const PLAIN_WORDS = { LC_ALL: "C", LANG: "C" };

const NATIVE_PROBE = fileURLToPath(new URL("native-probe.js", import.meta.url));

/** The machine that this process runs on. */
export function localSystem(env: Readonly<Record<string, string | undefined>>): DoctorSystem {
  const replies = new Map<string, Promise<HttpReply | string>>();
  let native: Promise<NativeFacts> | null = null;
  const remembered = (url: string): Promise<HttpReply | string> => {
    const reply = replies.get(url) ?? askServer(url);
    replies.set(url, reply);
    return reply;
  };
  const nativeOnce = (): Promise<NativeFacts> => {
    native ??= probeNative(env);
    return native;
  };
  return {
    platform: process.platform,
    arch: process.arch,
    nodeVersion: process.versions.node,
    env,
    isRoot: process.getuid?.() === 0,
    processId: process.pid,
    readText: (path) => readFile(path, "utf8").catch(() => null),
    list: (directory) => readdir(directory).catch(() => []),
    readLink: (path) => readlink(path).catch(() => null),
    mode: (path) =>
      stat(path).then(
        ({ mode }) => mode & 0o777,
        () => null,
      ),
    mayWrite: async (directory) => {
      const found = await nearest(directory);
      return access(found, constants.W_OK | constants.X_OK).then(
        () => true,
        () => false,
      );
    },
    freeBytes: async (directory) =>
      statfs(await nearest(directory)).then(
        ({ bavail, bsize }) => bavail * bsize,
        () => null,
      ),
    interfaces: networkInterfaces,
    run: (command, args) => runProgram(command, args, { ...env, ...PLAIN_WORDS }),
    listen: listenOnce,
    connect: connectOnce,
    ask: remembered,
    multicast: probeMulticast,
    native: nativeOnce,
    missingTools: async () => (await missingTools()).map(({ message }) => message),
  };
}

/** The path itself, or the closest directory above it that exists. */
async function nearest(path: string): Promise<string> {
  const found = await stat(path).then(
    () => true,
    () => false,
  );
  const parent = dirname(path);
  return found || parent === path ? path : nearest(parent);
}

/** On Windows npm is a command script, which needs a shell; our arguments are of a form that no shell misreads. */
function runProgram(command: string, args: readonly string[], env: NodeJS.ProcessEnv): Promise<CommandResult | null> {
  const shell = process.platform === "win32" && command === "npm";
  const options = { env, shell, timeout: COMMAND_LIMIT, maxBuffer: OUTPUT_LIMIT, killSignal: "SIGKILL" } as const;
  return new Promise((resolve) => {
    execFile(command, args, options, (thrown, stdout, stderr) => {
      if (thrown === null) resolve({ code: 0, signal: null, stdout, stderr });
      else if (typeof thrown.code === "string") resolve(null);
      else resolve({ code: thrown.code ?? null, signal: thrown.signal ?? null, stdout, stderr });
    });
  });
}

async function probeNative(env: NodeJS.ProcessEnv): Promise<NativeFacts> {
  const result = await runProgram(process.execPath, [NATIVE_PROBE], { ...env });
  if (result === null) return { works: false, reason: `${process.execPath} could not be started.` };
  if (result.code === 0) return { works: true, ...nativeReport.parse(JSON.parse(result.stdout)) };
  const ended = result.signal === null ? "" : `The process that opened it was ended by ${result.signal}. `;
  return { works: false, reason: `${ended}${result.stderr.trim()}`.trim() };
}

function listenOnce(host: string, port: number): Promise<string | null> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", (thrown: NodeJS.ErrnoException) => resolve(thrown.code ?? thrown.message));
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(null)));
  });
}

function connectOnce(host: string, port: number): Promise<string | null> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: CONNECT_LIMIT });
    const end = (answer: string | null): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.once("connect", () => end(null));
    socket.once("timeout", () => end("ETIMEDOUT"));
    socket.once("error", (thrown: NodeJS.ErrnoException) => end(thrown.code ?? thrown.message));
  });
}
