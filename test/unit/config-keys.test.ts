import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { exposures } from "../../src/config/exposure.js";
import { changeKeyFile, keyFilePath, readKeyFile } from "../../src/config/keys/key-file.js";
import { hashOfKey, isExpired, newKey } from "../../src/config/keys/stored-key.js";
import { loadConfig } from "../../src/config/load.js";
import { parseOrigin } from "../../src/config/origin.js";

const directory = await mkdtemp(join(tmpdir(), "exo-native-keys-"));
after(() => rm(directory, { recursive: true, force: true }));

const WISHES = { name: "laptop", scopes: ["infer"], created: 1_700_000_000_000, expires: null } as const;

describe("a new key", () => {
  test("is 256 random bits, of which only a hash is kept", () => {
    const { secret, stored } = newKey(WISHES);
    assert.match(secret, /^exo-key-[\w-]{43}$/);
    assert.equal(stored.sha256, hashOfKey(secret).toString("hex"));
    assert.ok(!JSON.stringify(stored).includes(secret.slice(-20)));
    assert.notEqual(newKey(WISHES).secret, secret);
  });

  test("is good until it expires", () => {
    assert.equal(isExpired({ expires: null }, Number.MAX_SAFE_INTEGER), false);
    assert.equal(isExpired({ expires: 1000 }, 999), false);
    assert.equal(isExpired({ expires: 1000 }, 1000), true);
  });
});

describe("the file of keys", () => {
  test("is made for its owner alone, and read as it was written", async () => {
    const path = keyFilePath(join(directory, "new"));
    assert.equal(await readKeyFile(path), null);
    const { stored } = newKey(WISHES);
    await changeKeyFile(path, (keys) => [...keys, stored]);
    assert.deepEqual(await readKeyFile(path), [stored]);
    if (process.platform !== "win32") assert.equal((await stat(path)).mode & 0o777, 0o600);
  });

  test("loses no key when several are made at once", async () => {
    const path = keyFilePath(join(directory, "many"));
    const made = Array.from({ length: 8 }, () => newKey(WISHES).stored);
    await Promise.all(made.map((stored) => changeKeyFile(path, (keys) => [...keys, stored])));
    const ids = ((await readKeyFile(path)) ?? []).map(({ id }) => id);
    assert.deepEqual(ids.sort(), made.map(({ id }) => id).sort());
  });

  test("is not taken for empty when it is damaged, and not written over", async () => {
    const path = keyFilePath(directory);
    for (const text of ["", "{", "[]", '{"version":2,"keys":[]}', '{"version":1,"keys":[{"id":"x"}]}']) {
      await writeFile(path, text);
      await assert.rejects(readKeyFile(path), { code: "invalid_argument", message: /api-keys\.json cannot be used/ });
      await assert.rejects(changeKeyFile(path, (keys) => keys));
      assert.equal(await readFile(path, "utf8"), text);
    }
  });
});

describe("an origin", () => {
  test("is read as browsers write it", () => {
    assert.equal(parseOrigin("https://Chat.Example.org/"), "https://chat.example.org");
    assert.equal(parseOrigin("https://chat.example.org:443"), "https://chat.example.org");
    assert.equal(parseOrigin("http://localhost:3000"), "http://localhost:3000");
    assert.equal(parseOrigin("app://obsidian.md"), "app://obsidian.md");
    assert.equal(parseOrigin("*"), "*");
  });

  test("is no path, no name alone, and not what a page without origin sends", () => {
    for (const text of ["", "null", "chat.example.org", "https://a/b", "https://", "https://*.a.b c", "https://a@b"]) {
      assert.equal(parseOrigin(text), null, text);
    }
  });
});

describe("what somebody who starts a node is told", () => {
  const of = async (flags: Record<string, unknown>, hasKeys = false) =>
    exposures(await loadConfig({ flags, env: {}, homeDirectory: "/home/user", withoutFile: true }), hasKeys);

  test("is nothing on loopback, or with keys", async () => {
    assert.deepEqual(await of({}), []);
    assert.deepEqual(await of({ http: "[::1]:80" }), []);
    assert.deepEqual(await of({ http: "0.0.0.0:80" }, true), []);
    assert.deepEqual(await of({ http: "0.0.0.0:80", apiKey: ["12345678"] }), []);
  });

  test("is who can use it otherwise", async () => {
    const [wide, ...more] = await of({ http: "0.0.0.0:80" });
    assert.match(wide ?? "", /listens on 0\.0\.0\.0 and asks for no key/);
    assert.deepEqual(more, []);
    assert.match((await of({ open: true })).join(), /nobody proves who they are/);
    assert.match((await of({ corsOrigin: ["*"] })).join(), /every web page/);
    assert.deepEqual(await of({ corsOrigin: ["https://a.example"] }), []);
  });
});
