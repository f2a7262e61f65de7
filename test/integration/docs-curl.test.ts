import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, sep } from "node:path";
import { text } from "node:stream/consumers";
import { after, before, describe, test } from "node:test";
import { z } from "zod";
import { packageRoot } from "../../src/core/package.js";
import { type CurlExample, curlExamples, faultOf, type RunningNode, rewritten } from "../support/curl-examples.js";
import { NodeProcess } from "../support/node-process.js";
import { tinyGguf } from "../support/tiny-gguf.js";

const ROOT = packageRoot();
const PAGES = [
  "README.md",
  ...readdirSync(join(ROOT, "docs"), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".md"))
    .map((name) => `docs/${name.split(sep).join("/")}`),
];
const EXAMPLES = PAGES.flatMap((page) => curlExamples(page, readFileSync(join(ROOT, page), "utf8")));

/** Why nothing can be run here, or `false`. */
const missing =
  ["bash", "curl"].find((tool) => spawnSync(tool, ["--version"]).status !== 0)?.replace(/^/, "there is no ") ?? false;

/** Runs the block as it is, and keeps what each curl was answered. */
const PRELUDE = `set -eo pipefail
curl() {
  local at
  at=$(mktemp -d "$RESULTS/XXXXXX")
  command curl --silent --show-error --max-time 100 --output "$at/body" --write-out '%{http_code} %{content_type}' "$@" > "$at/status"
  cat "$at/body"
}
`;

/** Systems, tools and turns as most templates write them. */
const TEMPLATE =
  "{%- if tools %}{%- for tool in tools %}{{- tool | tojson }}{%- endfor %}{%- endif %}" +
  "{%- for message in messages %}{{- '<|' + message.role + '|>' + (message.content or '') }}{%- endfor %}" +
  "{%- if add_generation_prompt %}{{- '<|assistant|>' }}{%- endif %}";

const ringSchema = z.looseObject({ id: z.string() });

describe("curl examples of the pages", { skip: missing }, () => {
  const directory = mkdtempSync(join(tmpdir(), "exo-docs-"));
  const model = join(directory, "tinyllama.gguf");
  let node: NodeProcess;
  before(async () => {
    writeFileSync(model, tinyGguf({ chatTemplate: TEMPLATE, contextLength: 2048 }));
    node = await NodeProcess.start({ name: "docs", args: [model, "--ctx", "1024", "--slots", "2", "--threads", "1"] });
    await node.ready();
  });
  after(async () => {
    await node.stop();
    rmSync(directory, { recursive: true });
  });

  /** An example may have unloaded it. */
  async function loaded(): Promise<RunningNode> {
    const response = await fetch(`${node.http}/cluster/rings`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ model, wait: true }),
    });
    const { id } = ringSchema.parse(await response.json());
    return { url: node.http, model, ringId: id };
  }

  async function run(example: CurlExample): Promise<readonly { readonly status: string; readonly body: string }[]> {
    const results = mkdtempSync(join(directory, "results-"));
    const script = PRELUDE + rewritten(example, await loaded());
    const cwd = join(results, "cwd");
    mkdirSync(cwd);
    const env = { PATH: process.env.PATH, HOME: directory, RESULTS: results };
    const child = spawn("bash", ["-c", script], { env, cwd, stdio: ["ignore", "pipe", "pipe"] });
    const [, errors, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "close")]);
    assert.equal(code, 0, errors);
    const read = (name: string, file: string): string => readFileSync(join(results, name, file), "utf8");
    return readdirSync(results)
      .filter((name) => name !== "cwd")
      .map((name) => ({ status: read(name, "status"), body: read(name, "body") }));
  }

  for (const example of EXAMPLES) {
    const { page, line, notRun } = example;
    test(`${page}, line ${line}`, { skip: notRun ?? false, timeout: 120_000 }, async () => {
      const answers = await run(example);
      assert.equal(answers.length, example.text.match(/\bcurl\b/g)?.length);
      for (const { status, body } of answers) assert.equal(faultOf(status, body), null);
    });
  }
});

describe("reading examples", () => {
  test("finds blocks that ask a node, and the reason of those that are not run", () => {
    const page = [
      "```sh",
      "curl http://127.0.0.1:52415/cluster",
      "```",
      "<!-- not run: it fetches a model -->",
      "",
      "```sh",
      'curl http://localhost:52415/api/pull -d \'{"model": "x"}\'',
      "```",
      "```sh",
      "curl https://example.com",
      "```",
      "```json",
      '"curl http://127.0.0.1:52415"',
      "```",
    ].join("\n");
    const examples = curlExamples("page.md", page);
    assert.deepEqual(
      examples.map(({ line, notRun }) => [line, notRun]),
      [
        [2, null],
        [7, "it fetches a model"],
      ],
    );
    const [, second] = examples;
    assert.ok(second !== undefined);
    assert.equal(
      rewritten(second, { url: "http://127.0.0.1:1", model: "/a b.gguf", ringId: "r" }),
      'curl http://127.0.0.1:1/api/pull -d \'{"model": "/a b.gguf"}\'',
    );
    assert.ok(EXAMPLES.length > 8, "the pages have examples");
  });

  test("knows a right answer from a wrong one", () => {
    assert.equal(faultOf("200 application/json; charset=utf-8", "{}"), null);
    assert.match(faultOf("404 application/json", '{"error":1}') ?? "", /answered 404/);
    assert.match(faultOf("200 application/json", "<html>") ?? "", /not JSON/);
    assert.equal(faultOf("200 text/event-stream", 'event: x\ndata: {"a":1}\n\ndata: [DONE]\n\n'), null);
    assert.match(faultOf("200 text/event-stream", ": hello\n\ndata: [DONE]\n\n") ?? "", /empty/);
    assert.match(faultOf("200 text/event-stream", 'data: {"error":{}}\n\n') ?? "", /tells of an error/);
    assert.equal(faultOf("200 application/x-ndjson", '{"a":1}\n{"b":2}\n'), null);
    assert.match(faultOf("200 application/x-ndjson", '{"a":1}\n{"b"\n') ?? "", /not JSON/);
    assert.equal(faultOf("204 ", ""), null);
    assert.equal(faultOf("200 text/plain; version=0.0.4", "# HELP\n"), null);
  });
});
