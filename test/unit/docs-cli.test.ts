import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { basename, dirname, join, sep } from "node:path";
import { describe, test } from "node:test";
import { stripVTControlCharacters } from "node:util";
import type { Command } from "commander";
import { createProgram } from "../../src/cli/program.js";
import { generatedDocs } from "../../src/cli/reference/cli-docs.js";
import { packageRoot } from "../../src/core/package.js";
import { capturedIo } from "./cli-captured-io.js";

const ROOT = packageRoot();
const PAGES = [
  "README.md",
  "CONTRIBUTING.md",
  ...readdirSync(join(ROOT, "docs"), { recursive: true, encoding: "utf8" })
    .filter(isPage)
    .map((name) => name.split(sep).join("/"))
    .map((name) => `docs/${name}`),
];

const program = createProgram(capturedIo());

function isPage(name: string): boolean {
  return name.endsWith(".md");
}

function read(page: string): string {
  return readFileSync(join(ROOT, page), "utf8");
}

/** Bold letters are not struck twice. */
const PLAIN = ["-P-b", "-P-o", "-P-u"];

/** Why the manual cannot be set here, or `false`. */
const noGroff = spawnSync("groff", ["--version"]).status === 0 ? false : "there is no groff here";

function longFlags(command: Command): readonly string[] {
  const own = command.options.map((option) => option.long).filter((flag) => typeof flag === "string");
  return [...own, ...command.commands.flatMap(longFlags)];
}

/** The part of docs/cli.md under the command's heading. */
function sectionOf(name: string): string {
  const [, section = ""] = read("docs/cli.md").split(new RegExp(`^## ${name}$`, "m"));
  return section.split(/^## /m)[0] ?? "";
}

function flagsIn(text: string): Set<string> {
  return new Set([...text.matchAll(/(?<![\w-])--[a-z][a-z-]*/g)].map(([flag]) => flag));
}

/** What `help` lists, without what only scripts use. */
const commands = program
  .createHelp()
  .visibleCommands(program)
  .filter((command) => command.name() !== "help");

describe("docs/cli.md", () => {
  for (const { path, text } of generatedDocs(program)) {
    test(`${basename(path)} is as npm run docs:cli makes it`, () => {
      assert.equal(readFileSync(path, "utf8"), text, "run npm run docs:cli after npm run build:ts");
    });
  }

  for (const command of commands) {
    test(`says of ${command.name()} only options that it has`, () => {
      const section = sectionOf(command.name());
      assert.notEqual(section, "", "it has a section");
      const real = new Set([...longFlags(command), "--help"]);
      assert.deepEqual(
        [...flagsIn(section)].filter((flag) => !real.has(flag)),
        [],
      );
    });
  }

  test("the manual can be set without a warning", { skip: noGroff }, () => {
    const page = join(ROOT, "man", "exo-native.1");
    const { stderr, stdout } = spawnSync("groff", ["-man", "-Tutf8", "-ww", ...PLAIN, page], { encoding: "utf8" });
    assert.equal(stderr, "");
    const plain = stripVTControlCharacters(stdout);
    for (const command of commands) assert.match(plain, new RegExp(`exo-native ${command.name()}`));
    assert.match(plain, /--min-nodes <n>[\s\S]*EXO_NATIVE_MIN_NODES/);
  });
});

/** Command lines in fenced blocks, without comments. */
function commandLines(text: string): readonly string[] {
  const blocks = [...text.matchAll(/^```(?:sh|bash|console)\n([\s\S]*?)^```/gm)].map(([, block]) => block ?? "");
  return blocks.flatMap((block) => block.split("\n")).map((line) => line.replace(/\s#.*$/, "").trim());
}

describe("pages", () => {
  for (const page of PAGES) {
    test(`${page}: commands are ones that exist, with options that they have`, () => {
      for (const line of commandLines(read(page))) {
        const [, name, rest = ""] = /(?:^|\| )npx exo-native(?: (\S+))?(.*)$/.exec(line) ?? [];
        if (name === undefined || name.startsWith("-")) continue;
        const command = program.commands.find((one) => one.name() === name);
        assert.ok(command, line);
        const known = new Set(longFlags(command));
        for (const flag of flagsIn(rest)) assert.ok(known.has(flag) || flag === "--help", `${flag} in: ${line}`);
      }
    });

    test(`${page}: npm scripts are ones that exist`, () => {
      const manifest: { scripts: Record<string, string> } = JSON.parse(read("package.json"));
      const scripts = [...read(page).matchAll(/npm run ([a-z:]+)/g)].map(([, script]) => script ?? "");
      assert.deepEqual(
        scripts.filter((script) => !(script in manifest.scripts)),
        [],
      );
    });

    test(`${page}: links lead somewhere`, () => {
      const links = [...read(page).matchAll(/\]\((?!https?:|mailto:|#)([^)#\s]+)(?:#([^)\s]+))?\)/g)];
      for (const [, path = "", anchor] of links) {
        const target = join(dirname(page), path);
        assert.ok(existsSync(join(ROOT, target)), `${path} of ${page}`);
        if (anchor !== undefined) assert.ok(anchorsOf(read(target)).has(anchor), `${path}#${anchor} of ${page}`);
      }
    });
  }
});

/** GitHub's names for a page's headings. */
function anchorsOf(text: string): Set<string> {
  const headings = [...text.matchAll(/^#+ (.*)$/gm)].map(([, heading = ""]) => heading.toLowerCase());
  return new Set(headings.map((heading) => heading.replaceAll(/[^\p{L}\p{N} _-]/gu, "").replaceAll(" ", "-")));
}
