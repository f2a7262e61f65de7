import { existsSync, readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { ExoError } from "../core/errors.js";
import { packageRoot } from "../core/package.js";
import type { NativeBindings, NativeCounters, NativeLibraryInfo } from "./bindings.js";

const ADDON_FILE = "exo_native.node";

let loaded: NativeBindings | undefined;

/** The addon with its ggml backends registered; opened on first use, once per JavaScript thread. */
export function loadBindings(): NativeBindings {
  loaded ??= openAddon();
  return loaded;
}

/** What the addon was built from: part of the version check between nodes. */
export function libraryInfo(): NativeLibraryInfo {
  return loadBindings().library_info();
}

/** Live native objects of this process. */
export function nativeCounters(): NativeCounters {
  return loadBindings().counters();
}

function openAddon(): NativeBindings {
  const failures: string[] = [];
  for (const directory of addonDirectories()) {
    const file = join(directory, ADDON_FILE);
    if (!existsSync(file)) {
      failures.push(`${file}: no such file`);
      continue;
    }
    try {
      // require() is the only way to open an addon, and it is untyped; bindings.ts declares what the addon exports
      // and test/native/surface.test.ts compares the two.
      const bindings = createRequire(import.meta.url)(file) as NativeBindings;
      bindings.backends_load(directory);
      return bindings;
    } catch (thrown) {
      failures.push(`${file}: ${thrown instanceof Error ? thrown.message : String(thrown)}`);
    }
  }
  throw new ExoError(
    "internal",
    `The native addon could not be opened. ${remedy()}\nTried:\n  ${failures.join("\n  ")}`,
  );
}

function addonDirectories(): string[] {
  const override = process.env.EXO_NATIVE_ADDON_DIRECTORY;
  if (override !== undefined && override !== "") return [override];
  return [join(packageRoot(), "build", "Release")];
}

function remedy(): string {
  const build = "Run `npm run build:native` in the package's folder";
  switch (process.platform) {
    case "linux":
      return isMusl()
        ? `${build}; on a musl system (Alpine) set EXO_NATIVE_GGML=source first, as the prebuilt libraries need glibc.`
        : `${build}; it needs a C++17 compiler, CMake and git (Debian: sudo apt install g++ cmake git).`;
    case "darwin":
      return `${build}; it needs Apple's command line tools (xcode-select --install) and CMake (brew install cmake).`;
    case "win32":
      return `${build}; it needs Visual Studio's C++ build tools and CMake, and the Visual C++ runtime at run time.`;
    default:
      return `${build} with EXO_NATIVE_GGML=source: there are no prebuilt libraries for ${process.platform}.`;
  }
}

function isMusl(): boolean {
  return existsSync("/lib") && readdirSync("/lib").some((name) => name.startsWith("ld-musl-"));
}
