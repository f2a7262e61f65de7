import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";

const CPUS = "/sys/devices/system/cpu";
const UNITS: Readonly<Record<string, number>> = { "": 1, K: 1024, M: 1024 ** 2, G: 1024 ** 3 };

/** Bytes of all third-level caches of this machine; 0 where the system does not tell. */
export async function lastLevelCacheBytes(cpus = CPUS): Promise<number> {
  const names = await readdir(cpus).catch(() => []);
  const caches = await Promise.all(
    names.filter((name) => /^cpu\d+$/.test(name)).map((name) => cacheOf(join(cpus, name))),
  );
  const bySharers = new Map(caches.filter((cache) => cache !== null).map(({ sharers, bytes }) => [sharers, bytes]));
  return [...bySharers.values()].reduce((sum, bytes) => sum + bytes, 0);
}

/** Which CPUs share the cache of this one, and its size. */
async function cacheOf(cpu: string): Promise<{ readonly sharers: string; readonly bytes: number } | null> {
  try {
    const read = (file: string): Promise<string> => readFile(join(cpu, "cache", "index3", file), "utf8");
    const [size, sharers] = await Promise.all([read("size"), read("shared_cpu_list")]);
    const [, count, unit] = /^(\d+)([KMG]?)$/.exec(size.trim()) ?? [];
    return { sharers: sharers.trim(), bytes: Number(count ?? 0) * (UNITS[unit ?? ""] ?? 1) };
  } catch {
    return null;
  }
}

const LEAST = 128 * 1024 ** 2;
const MOST = 512 * 1024 ** 2;

/** Weights that do not stay in caches of so many bytes when they are read again and again; bounded, for they are loaded. */
export function uncachedBytes(cacheBytes: number): number {
  return Math.min(MOST, Math.max(LEAST, 3 * cacheBytes));
}
