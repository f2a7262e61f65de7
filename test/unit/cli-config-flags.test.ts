import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Command } from "commander";
import { ALL_SETTINGS, addConfigFlags, readConfig } from "../../src/cli/config-flags.js";
import { OPTIONS } from "../../src/config/options.js";
import { capturedIo } from "./cli-captured-io.js";

async function configOf(...args: readonly string[]) {
  const command = addConfigFlags(new Command("serve").exitOverride().argument("[model]"), ALL_SETTINGS);
  command.parse(args, { from: "user" });
  const io = capturedIo({ env: { EXO_NATIVE_HOME: "/nonexistent/exo-native-test" } });
  return readConfig({ ...command.opts(), model: command.args[0] }, io);
}

describe("flags from the table of settings", () => {
  test("commander knows each setting by the key that the configuration has", () => {
    const command = addConfigFlags(new Command(), ALL_SETTINGS);
    const names = new Set(command.options.map((option) => option.attributeName()));
    const missing = ALL_SETTINGS.filter((key) => OPTIONS[key].positional !== true && !names.has(key));
    assert.deepEqual(missing, []);
  });

  test("what is given arrives parsed; what is not has its default", async () => {
    const config = await configOf("a.gguf", "--http", ":8000", "--min-nodes", "2", "--flash-attention", "off");
    assert.equal(config.model, "a.gguf");
    assert.deepEqual(config.http, { host: null, port: 8000 });
    assert.equal(config.minNodes, 2);
    assert.equal(config.flashAttention, "off");
    assert.equal(config.slots, OPTIONS.slots.default);
  });

  test("repeatable flags add up", async () => {
    const config = await configOf("--peer", "a:1", "--peer", "b:2,c:3");
    assert.deepEqual(config.peer, [
      { host: "a", port: 1 },
      { host: "b", port: 2 },
      { host: "c", port: 3 },
    ]);
  });

  test("--no-discovery is the empty list, and is not there unless given", async () => {
    assert.deepEqual((await configOf("--no-discovery")).discovery, []);
    assert.deepEqual((await configOf()).discovery, OPTIONS.discovery.default);
  });
});
