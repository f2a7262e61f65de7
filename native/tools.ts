import { readFileSync } from "node:fs";
import { $, which } from "zx";
import { ExoError } from "../src/core/errors.js";

/** What a build needs besides Node. */
type Tool = "compiler" | "cmake" | "git";

const MIN_CMAKE = [3, 19] as const;

const TOOL_NAMES: Readonly<Record<Tool, string>> = {
  compiler: "a C++17 compiler",
  cmake: `CMake ${MIN_CMAKE.join(".")} or newer`,
  git: "git",
};

/** How each system installs them. */
const INSTALL: Readonly<Record<string, Readonly<Record<Tool, string>>>> = {
  debian: { compiler: "sudo apt install g++", cmake: "sudo apt install cmake", git: "sudo apt install git" },
  fedora: { compiler: "sudo dnf install gcc-c++", cmake: "sudo dnf install cmake", git: "sudo dnf install git" },
  arch: { compiler: "sudo pacman -S gcc", cmake: "sudo pacman -S cmake", git: "sudo pacman -S git" },
  suse: { compiler: "sudo zypper install gcc-c++", cmake: "sudo zypper install cmake", git: "sudo zypper install git" },
  alpine: { compiler: "apk add g++ make", cmake: "apk add cmake", git: "apk add git" },
  darwin: { compiler: "xcode-select --install", cmake: "brew install cmake", git: "xcode-select --install" },
  win32: {
    compiler: "winget install Microsoft.VisualStudio.2022.BuildTools, with the C++ workload",
    cmake: "winget install Kitware.CMake",
    git: "winget install Git.Git",
  },
};

/** Throws one sentence that names the first missing tool and how to install it here. */
export async function checkTools(): Promise<void> {
  const [first] = await missingTools();
  if (first !== undefined) throw first;
}

/** For each tool that a build lacks one sentence that names it and how to install it here. */
export async function missingTools(): Promise<readonly ExoError[]> {
  return [await missingCompiler(), await missingCmake(), await missingGit()].filter((error) => error !== null);
}

/** cmake-js looks for Visual Studio itself: its compiler is not on the path. */
async function missingCompiler(): Promise<ExoError | null> {
  return process.platform === "win32" || (await hasCompiler()) ? null : missing("compiler");
}

async function missingGit(): Promise<ExoError | null> {
  return (await which("git", { nothrow: true })) === null ? missing("git") : null;
}

async function hasCompiler(): Promise<boolean> {
  const named = process.env.CXX?.split(" ")[0];
  for (const name of named ? [named] : ["c++", "g++", "clang++"]) {
    if ((await which(name, { nothrow: true })) !== null) return true;
  }
  return false;
}

async function missingCmake(): Promise<ExoError | null> {
  const cmake = await which("cmake", { nothrow: true });
  if (cmake === null) return missing("cmake");
  const { stdout } = await $({ quiet: true })`${cmake} --version`;
  const [, major = "0", minor = "0"] = /(\d+)\.(\d+)/.exec(stdout) ?? [];
  const [leastMajor, leastMinor] = MIN_CMAKE;
  const enough = Number(major) > leastMajor || (Number(major) === leastMajor && Number(minor) >= leastMinor);
  return enough ? null : missing("cmake", `found ${major}.${minor}`);
}

function missing(tool: Tool, found = "not found"): ExoError {
  const how = INSTALL[systemName()]?.[tool];
  const hint = how === undefined ? "install it with your system's package manager" : `install it with: ${how}`;
  return new ExoError("unsupported", `Building exo-native needs ${TOOL_NAMES[tool]} (${found}): ${hint}`);
}

function systemName(): string {
  if (process.platform !== "linux") return process.platform;
  const like = linuxFamily();
  if (/debian|ubuntu/.test(like)) return "debian";
  if (/fedora|rhel|centos/.test(like)) return "fedora";
  return ["arch", "suse", "alpine"].find((name) => like.includes(name)) ?? "linux";
}

function linuxFamily(): string {
  try {
    const lines = readFileSync("/etc/os-release", "utf8").split("\n");
    return lines.filter((line) => /^ID(_LIKE)?=/.test(line)).join(" ");
  } catch {
    return "";
  }
}
