import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { Phases } from "../../native/phases.js";
import { PROJECT_ROOT } from "../../vendor/layout.js";
import { compareCuts } from "./matrix.js";
import { generateModels } from "./models.js";
import { checkSequences } from "./sequences.js";
import { type ArchTools, buildTools } from "./tools.js";

/** One of each kind; `npm run test:archs` runs them all. */
const KINDS = {
  "llama-dense": "dense",
  "gemma3-dense": "sliding windows, tied embedding",
  "qwen3moe-moe": "mixture of experts",
  "mamba-dense": "recurrent",
  "falcon-h1-dense": "attention and recurrent state in one layer",
  "qwen3next-moe": "attention and recurrent layers in turn",
  "deepseek2-moe": "latent attention",
  "kimi-k3-moe": "several hidden states cross the boundary",
} as const;

const CUTS = ["whole", "2", "3", "layers+head", "layers+head all"];

describe("cuts of an architecture equal the whole model, and its sequences can be reused", () => {
  let tools: ArchTools;
  let directory: string;

  before(async () => {
    tools = await buildTools(PROJECT_ROOT, new Phases(() => {}));
    directory = await mkdtemp(join(tmpdir(), "exo-archs-"));
  });
  after(async () => {
    await rm(directory, { recursive: true, force: true });
  });

  for (const [name, kind] of Object.entries(KINDS)) {
    test(`${name}: ${kind}`, async () => {
      const arch = name.slice(0, name.lastIndexOf("-"));
      const models = await generateModels(tools.makeDeepModels, tools.libraries, join(directory, name), arch);
      const model = models.find((one) => one.name === name);
      assert.ok(model !== undefined, `llama.cpp no longer writes ${name}`);
      const comparisons = await compareCuts(tools, model, CUTS);
      assert.equal(comparisons.length, 2 * CUTS.length);
      for (const one of comparisons) assert.equal(one.outcome, "equal", `${one.cut}, ${one.program}: ${one.reason}`);
      await checkSequences(model.path);
      await rm(join(directory, name), { recursive: true });
    });
  }

  test("hrm_text is refused by name", async () => {
    const models = await generateModels(tools.makeModels, tools.libraries, join(directory, "refused"), "hrm_text");
    const [model] = models;
    assert.ok(model !== undefined);
    for (const one of await compareCuts(tools, model, ["2"])) {
      assert.equal(one.outcome, "refused");
      assert.match(one.reason, /architecture hrm_text cannot be split at \[0, 4\): /);
    }
  });
});
