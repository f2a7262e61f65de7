import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import { type Browser, chromium } from "playwright-core";

const NAMES = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"];
const MAC = ["Google Chrome", "Chromium"].map((name) => `/Applications/${name}.app/Contents/MacOS/${name}`);

/** A Chromium on this machine: `CHROMIUM_PATH`, or one on the `PATH`. */
export function findChromium(): string | null {
  const onPath = (process.env.PATH ?? "").split(delimiter).flatMap((folder) => NAMES.map((name) => join(folder, name)));
  const asked = process.env.CHROMIUM_PATH;
  return (asked === undefined ? [...onPath, ...MAC] : [asked]).find(isExecutable) ?? null;
}

export function launch(executablePath: string): Promise<Browser> {
  // Containers run as root and have neither the kernel features for the sandbox nor a large /dev/shm.
  return chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-dev-shm-usage"] });
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
