import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { Browser, Page } from "playwright-core";
import { NodeProcess } from "../support/node-process.js";
import { writeTinyModel } from "../support/tiny-gguf.js";
import { seriousFaults } from "./axe.js";
import { findChromium, launch } from "./browser.js";
import { overflow, skip } from "./open-page.js";

const LAYERS = 8;
const VIEWS = ["cluster", "models", "bench", "doctor", "traces"] as const;

describe("the page's views of the cluster", { skip, timeout: 240_000 }, () => {
  const model = writeTinyModel({ layers: LAYERS, seed: 5 });
  const complaints: string[] = [];
  let browser: Browser;
  let page: Page;
  let head: NodeProcess;
  let worker: NodeProcess;

  before(async () => {
    worker = await NodeProcess.start({ name: "worker", args: ["--threads", "1", "--min-nodes", "2"] });
    head = await NodeProcess.start({
      name: "entry",
      args: ["--threads", "1", "--min-nodes", "2", "--ctx", "256", "--slots", "2", "--peer", worker.grpc],
    });
    browser = await launch(findChromium() ?? "");
    page = await browser.newPage({ viewport: { width: 1440, height: 900 } });
    page.setDefaultTimeout(30_000);
    page.on("pageerror", (error) => complaints.push(error.message));
    page.on("console", (line) => {
      if (line.type() === "error") complaints.push(`${line.text()} (${line.location().url})`);
    });
  });

  after(async () => {
    await browser?.close();
    await Promise.all([head?.stop(), worker?.stop()]);
    model.remove();
  });

  async function open(view: string, ...rest: readonly string[]): Promise<void> {
    await page.goto(`${head.http}/#/${[view, ...rest].map(encodeURIComponent).join("/")}`);
  }

  /** Layers by node as the ring shows them. */
  async function ranges(): Promise<Record<string, string>> {
    const cards = await page.locator(".stage-card").all();
    const pairs = cards.map(async (card) => [
      (await card.locator(".stage-title").textContent()) ?? "",
      (await card.locator(".stage-layers").textContent()) ?? "",
    ]);
    return Object.fromEntries(await Promise.all(pairs));
  }

  /** Memory and time of each stage, once the plan of the split has come. */
  async function stagesOfSplit(): Promise<readonly string[]> {
    await page.locator(".split-row", { hasNotText: "offered" }).first().waitFor({ state: "detached" });
    return page.locator(".split-row .node-facts").allTextContents();
  }

  test("shows the nodes while no model is loaded, and says what to do", async () => {
    await open("cluster");
    await page.getByRole("heading", { name: "No model is loaded" }).waitFor();
    const nodes = page.locator(".node-list .node-name");
    await nodes.filter({ hasText: "worker" }).waitFor();
    assert.equal(await nodes.filter({ hasText: "entry" }).filter({ hasText: "this node" }).count(), 1);
    assert.match((await page.getAttribute(".memory-bar", "aria-label")) ?? "", /^Memory of .*: .*free \d/);
  });

  test("plans a model and loads it", async () => {
    await open("models");
    await page.fill("#other-model", model.path);
    await page.getByRole("button", { name: "Show" }).click();
    await page
      .getByText(/^It fits /)
      .first()
      .waitFor();
    await page.locator(".prediction-speed").waitFor();
    await page.getByRole("button", { name: "Load", exact: true }).click();
    await page.locator(".ring-now .state-ready").waitFor();
    await page.getByRole("link", { name: "See the ring" }).click();
    await page.waitForSelector(".ring-edges .edge", { state: "attached" });
    const placed = await ranges();
    assert.deepEqual(Object.keys(placed).toSorted(), ["entry", "worker"]);
    for (const text of Object.values(placed)) assert.match(text, /^layers? \d/);
    assert.equal(await page.locator(".ring-stages .badge", { hasText: "head" }).count(), 1);
    assert.equal(await page.locator(".ring-stages .hop").count(), 2);
  });

  test("has the ring as a table too", async () => {
    await page.getByText("As a table").click();
    const rows = page.locator(".ring-table tbody tr");
    assert.equal(await rows.count(), 2);
    assert.match((await rows.first().textContent()) ?? "", /\(head\).*layers? 0/);
  });

  test("shows tokens flowing while an answer is written", async () => {
    const flow = page.locator(".edge-flow").first().waitFor({ state: "attached" });
    const stop = new AbortController();
    const asked = keepAsking(head.http, stop.signal);
    await flow;
    stop.abort();
    await asked;
  });

  test("changes the split by keyboard, sees the prediction change, and loads it", async () => {
    await open("models", model.path);
    const slider = page.getByRole("slider", { name: /^Cut between/ });
    await slider.waitFor();
    // The head is to outlive the other one.
    const makeHead = page.getByRole("button", { name: "Make head (entry)" });
    if ((await makeHead.count()) > 0) await makeHead.click();
    await slider.press("Home");
    await page.getByText(/^This split: /).waitFor();
    assert.equal(await slider.getAttribute("aria-valuenow"), "1");
    const first = await stagesOfSplit();
    const asked = page.waitForRequest((request) => isOfSplit(request.postData(), LAYERS - 1));
    await slider.press("End");
    await asked;
    const second = await stagesOfSplit();
    assert.notEqual(second[0], first[0], "seven layers take more than one");
    assert.equal(await slider.getAttribute("aria-valuenow"), String(LAYERS - 1));
    assert.match((await slider.getAttribute("aria-valuetext")) ?? "", /layers 0-6, .* layer 7$/);

    await page.getByRole("button", { name: "Load this split" }).click();
    await page.getByRole("button", { name: "Load again" }).click();
    await page.locator(".ring-now .state-ready").waitFor();
    await page.locator(".ring-now", { hasText: "entry layers 0-6, worker layer 7" }).waitFor();
  });

  test("says in a sentence why a split cannot be", async () => {
    await page.route("**/cluster/plan", (route) =>
      route.fulfill({
        status: 507,
        json: { error: { message: "Layers 0-1 do not fit on worker.", code: "out_of_memory" } },
      }),
    );
    await page.getByRole("slider").press("ArrowLeft");
    await page.locator(".hand-prediction .error", { hasText: "Layers 0-1 do not fit on worker." }).waitFor();
    assert.equal(await page.getByRole("button", { name: "Load this split" }).isDisabled(), true);
    await page.unroute("**/cluster/plan");
    // Chromium tells of the answer itself.
    dropRefusals(complaints, 507);
  });

  test("measures the model and keeps the result", async () => {
    await open("bench");
    await page.getByRole("button", { name: "Measure" }).click();
    await page.locator(".chart").first().waitFor();
    assert.ok((await page.locator(".chart-value").count()) >= 3);
    await page.reload();
    await page.locator(".chart").first().waitFor();
    await page.getByRole("button", { name: "Forget them" }).click();
    await page.getByText("Nothing has been measured in this browser yet.").waitFor();
  });

  test("tells the doctor's findings with what to do", async () => {
    await open("doctor");
    await page.getByRole("button", { name: "Look now" }).click();
    await page.locator(".findings-ok summary").click({ timeout: 60_000 });
    await page.locator(".findings-ok h3", { hasText: "The native addon works" }).waitFor();
    await page.getByText(/in order, at /).waitFor();
  });

  test("shows where the time of a request went", async () => {
    await open("traces");
    await page.locator(".table-scroll th a").first().click();
    await page.locator(".lane-name", { hasText: /^compute stage 1$/ }).waitFor();
    const nodes = await page.locator(".waterfall-node").allTextContents();
    assert.deepEqual(nodes.toSorted(), ["entry", "worker"]);
    const saved = page.waitForEvent("download");
    await page.getByRole("button", { name: "Download for chrome://tracing" }).click();
    assert.match((await saved).suggestedFilename(), /^exo-native-.+\.json$/);
  });

  for (const [width, height, colorScheme] of [
    [360, 740, "dark"],
    [1440, 900, "light"],
  ] as const) {
    test(`every view fits ${width} pixels (${colorScheme}) without a serious fault for assistive technology`, async () => {
      await page.setViewportSize({ width, height });
      await page.emulateMedia({ colorScheme });
      for (const view of [...VIEWS, "models/chosen"]) {
        await (view === "models/chosen" ? open("models", model.path) : open(view));
        await page.locator("h1").waitFor();
        if (view === "models/chosen") await page.getByRole("slider").waitFor();
        if (view === "cluster") await page.locator(".stage-card").first().waitFor();
        assert.equal(await overflow(page), 0, `${view} sticks out sideways`);
        assert.deepEqual(await seriousFaults(page), [], view);
      }
    });
  }

  test("says that a node left", async () => {
    await open("cluster");
    await page.locator(".stage-card").first().waitFor();
    await worker.kill();
    await page
      .locator(".happenings p", { hasText: /^.*worker (?:is lost|has left|does not answer)/ })
      .first()
      .waitFor();
    await page.locator(".node-list .node.is-gone, .node-list .node.is-suspect").first().waitFor();
  });

  test("unloads, after asking", async () => {
    await open("models", model.path);
    await page.getByRole("button", { name: "Unload", exact: true }).click();
    await page.getByRole("button", { name: "Keep it as it is" }).click();
    assert.equal(await page.locator(".ring-now").count(), 1);
    await page.getByRole("button", { name: "Unload", exact: true }).click();
    const confirm = page.locator(".confirm").getByRole("button", { name: "Unload" });
    await confirm.waitFor();
    await page.route("**/cluster", (route) =>
      route.fulfill({ status: 503, json: { error: { message: "Too busy." } } }),
    );
    await page.locator("main .error[role=alert]").first().waitFor();
    assert.equal(await confirm.count(), 1, "a look that failed does not take the question away");
    await page.unroute("**/cluster");
    // Chromium tells of the answers itself.
    dropRefusals(complaints, 503);
    await confirm.click();
    await page.locator(".ring-now").waitFor({ state: "detached" });
    await open("cluster");
    await page.getByRole("heading", { name: "No model is loaded" }).waitFor();
  });

  test("had no error of its own in all this", () => {
    assert.deepEqual(complaints, []);
  });
});

/** Takes out what Chromium writes of answers with this status. */
function dropRefusals(complaints: string[], status: number): void {
  const others = complaints.filter((text) => !text.includes(`status of ${status}`));
  complaints.splice(0, complaints.length, ...others);
}

function isOfSplit(body: string | null, cut: number): boolean {
  return body?.includes(`"layers":"0-${cut}@`) === true;
}

async function keepAsking(http: string, signal: AbortSignal): Promise<void> {
  const body = JSON.stringify({ prompt: "Once upon a time", max_tokens: 200, temperature: 0, ignore_eos: true });
  const init = { method: "POST", headers: { "content-type": "application/json" }, body, signal };
  try {
    while (!signal.aborted) await (await fetch(`${http}/v1/completions`, init)).text();
  } catch (thrown) {
    if (!signal.aborted) throw thrown;
  }
}
