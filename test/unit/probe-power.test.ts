import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { lastLevelCacheBytes, uncachedBytes } from "../../src/runtime/probe/cache-size.js";
import { linuxPower, macPower, powerSource } from "../../src/runtime/probe/power-source.js";

const made: string[] = [];
after(() => Promise.all(made.map((path) => rm(path, { recursive: true, force: true }))));

/** A directory with a directory for each entry, in which each field is a file. */
async function tree(entries: Readonly<Record<string, Readonly<Record<string, string>>>>): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "exo-native-sys-"));
  made.push(directory);
  for (const [name, fields] of Object.entries(entries)) {
    await mkdir(join(directory, name), { recursive: true });
    for (const [field, value] of Object.entries(fields)) await writeFile(join(directory, name, field), `${value}\n`);
  }
  return directory;
}

describe("the power source", () => {
  const battery = (status: string): Record<string, string> => ({ type: "Battery", status });
  const mains = (online: string): Record<string, string> => ({ type: "Mains", online });

  test("on Linux is what is plugged in, else what the battery does", async () => {
    const of = async (...list: Parameters<typeof tree>): Promise<string> => linuxPower(await tree(...list));
    assert.equal(await of({ AC: mains("1"), BAT0: battery("Charging") }), "mains");
    assert.equal(await of({ AC: mains("0"), BAT0: battery("Discharging") }), "battery");
    assert.equal(await of({ "ucsi-1": { type: "USB", online: "1" }, BAT0: battery("Not charging") }), "mains");
    assert.equal(await of({ BAT0: battery("Full") }), "mains");
    assert.equal(await of({ BAT0: battery("Unknown") }), "unknown");
    assert.equal(await of({ hidpp: { ...battery("Discharging"), scope: "Device" } }), "unknown");
    assert.equal(await of({ broken: {} }), "unknown");
    assert.equal(await of({}), "unknown");
    assert.equal(await linuxPower("/nonexistent"), "unknown");
  });

  test("on macOS is what pmset says", () => {
    assert.equal(macPower("Now drawing from 'AC Power'\n -InternalBattery-0 (id=1)\t100%; charged"), "mains");
    assert.equal(macPower("Now drawing from 'Battery Power'\n -InternalBattery-0"), "battery");
    assert.equal(macPower(""), "unknown");
  });

  test("elsewhere is not known", async () => {
    assert.equal(await powerSource("win32"), "unknown");
  });
});

describe("the processors' caches", () => {
  test("count once, however many cores share them", async () => {
    const cpu = (sharers: string, size: string) => ({ size, shared_cpu_list: sharers });
    const directory = await tree({
      "cpu0/cache/index3": cpu("0-1", "32768K"),
      "cpu1/cache/index3": cpu("0-1", "32768K"),
      "cpu2/cache/index3": cpu("2-3", "16M"),
      "cpu3/cache/index2": cpu("3", "1024K"),
      cpufreq: {},
    });
    assert.equal(await lastLevelCacheBytes(directory), 48 * 1024 ** 2);
    assert.equal(await lastLevelCacheBytes("/nonexistent"), 0);
  });

  test("are too small for what is loaded to measure, within bounds", () => {
    assert.equal(uncachedBytes(0), 128 * 1024 ** 2);
    assert.equal(uncachedBytes(64 * 1024 ** 2), 192 * 1024 ** 2);
    assert.equal(uncachedBytes(1024 ** 3), 512 * 1024 ** 2);
  });
});
