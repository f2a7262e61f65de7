import { execFile } from "node:child_process";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Power } from "../../cluster/power-record.js";

const SUPPLIES = "/sys/class/power_supply";
const ASK_TIMEOUT_MS = 2_000;

/** What this machine runs on now. */
export async function powerSource(platform: NodeJS.Platform = process.platform): Promise<Power> {
  switch (platform) {
    case "linux":
      return linuxPower(SUPPLIES);
    case "darwin":
      return macPower(await pmset());
    default:
      return "unknown";
  }
}

/** From the kernel's list of supplies: chargers that are plugged in, and batteries of the machine, not of its mouse. */
export async function linuxPower(directory: string): Promise<Power> {
  const names = await readdir(directory).catch(() => []);
  const supplies = await Promise.all(names.map((name) => supplyOf(join(directory, name))));
  const batteries = supplies.filter(({ type, scope }) => type === "Battery" && scope !== "Device");
  if (supplies.some(({ type, online }) => (type === "Mains" || type === "USB") && online === "1")) return "mains";
  if (batteries.some(({ status }) => status === "Discharging")) return "battery";
  return batteries.some(({ status }) => status === "Charging" || status === "Full") ? "mains" : "unknown";
}

async function supplyOf(directory: string): Promise<Record<"type" | "online" | "status" | "scope", string>> {
  const read = (file: string): Promise<string> =>
    readFile(join(directory, file), "utf8").then(
      (text) => text.trim(),
      () => "",
    );
  const [type, online, status, scope] = await Promise.all([
    read("type"),
    read("online"),
    read("status"),
    read("scope"),
  ]);
  return { type, online, status, scope };
}

/** From the first line of `pmset -g batt`: Now drawing from 'AC Power'. */
export function macPower(text: string): Power {
  if (text.includes("'AC Power'")) return "mains";
  return text.includes("'Battery Power'") ? "battery" : "unknown";
}

async function pmset(): Promise<string> {
  const run = promisify(execFile)("pmset", ["-g", "batt"], { timeout: ASK_TIMEOUT_MS });
  return run.then(
    ({ stdout }) => stdout,
    () => "",
  );
}
