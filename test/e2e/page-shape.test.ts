import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { describe, test } from "node:test";
import type { Page } from "playwright-core";
import { saying } from "../api/scripted-inference.js";
import { ask, overflow, pageSays, pageTests, skip, untilDone } from "./open-page.js";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

const SIZES = [
  { width: 360, height: 740 },
  { width: 768, height: 1024 },
  { width: 1440, height: 900 },
] as const;

/** Serious and critical faults, one line each. */
async function faults(page: Page): Promise<readonly string[]> {
  const found: unknown =
    await page.evaluate(`axe.run(document, { resultTypes: ["violations"] }).then(({ violations }) =>
    violations
      .filter(({ impact }) => impact === "serious" || impact === "critical")
      .flatMap(({ id, nodes }) => nodes.map(({ target, failureSummary }) => id + " " + target + " " + failureSummary)))`);
  return Array.isArray(found) ? found.map(String) : [String(found)];
}

async function views(page: Page): Promise<readonly string[]> {
  const hrefs: unknown = await page.evaluate(
    `[...document.querySelectorAll(".navigation a")].map((link) => link.getAttribute("href"))`,
  );
  return Array.isArray(hrefs) ? hrefs.map(String) : [];
}

const LONG_ANSWER = [
  "## Adding\n\nUse the plus sign. A function that does it:\n\n",
  "```ts\nexport function add(left: number, right: number): number {\n  return left + right; // a long line that has to scroll inside of its own box and not move the page\n}\n```\n",
  "A link with no break: https://example.com/",
  "abcdefghij".repeat(12),
  `\n\n|${" a wide column |".repeat(12)}\n|${" - |".repeat(12)}\n|${" value |".repeat(12)}`,
  "\n\nThat is all.",
].join("");

describe("the page's shape", { skip }, () => {
  const { withPage } = pageTests();

  for (const colorScheme of ["light", "dark"] as const) {
    for (const viewport of SIZES) {
      test(`${viewport.width} pixels, ${colorScheme}: nothing sticks out, and axe finds no serious fault`, async () => {
        await withPage(
          async (page, { inference }) => {
            inference.script = () => saying([LONG_ANSWER]);
            await page.evaluate(AXE);
            assert.deepEqual(await faults(page), [], "welcome");
            await ask(
              page,
              "How do I add two numbers, and what is a very-long-word-without-any-end-of-it-at-all-in-sight?",
            );
            await untilDone(page);
            await page.waitForSelector(".markdown .hljs-keyword");
            assert.equal(await overflow(page), 0, "chat");
            assert.deepEqual(await faults(page), [], "chat");
            for (const panel of ["history", "parameters"]) {
              if (!(await page.isVisible(`#${panel}`))) await page.click(`#${panel}-toggle`);
              assert.equal(await page.getAttribute(`#${panel}-toggle`, "aria-expanded"), "true");
              assert.equal(await overflow(page), 0, panel);
              assert.deepEqual(await faults(page), [], panel);
              await page.keyboard.press("Escape");
            }
          },
          { context: { viewport, colorScheme } },
        );
      });
    }
  }

  for (const colorScheme of ["light", "dark"] as const) {
    test(`every view, ${colorScheme}: nothing sticks out, and axe finds no serious fault`, async () => {
      await withPage(
        async (page) => {
          await page.evaluate(AXE);
          for (const view of await views(page)) {
            await page.evaluate(`location.hash = ${JSON.stringify(view)}`);
            await page.waitForSelector(`.navigation a[href="${view}"][aria-current]`, { state: "attached" });
            await page.waitForSelector("main h1", { state: "attached" });
            for (const viewport of SIZES) {
              await page.setViewportSize(viewport);
              assert.equal(await overflow(page), 0, `${view} at ${viewport.width}`);
            }
            assert.deepEqual(await faults(page), [], view);
          }
        },
        { refusals: true, context: { colorScheme } },
      );
    });
  }

  test("colours can be chosen, and stay", async () => {
    await withPage(async (page) => {
      await page.selectOption("#theme", "dark");
      await page.reload();
      await page.waitForSelector("#prompt");
      assert.equal(await page.getAttribute("html", "data-theme"), "dark");
    });
  });

  test("on a phone the views are behind a button", async () => {
    await withPage(
      async (page) => {
        assert.equal(await page.getByRole("link", { name: "Settings" }).isVisible(), false);
        await page.getByRole("button", { name: "Menu" }).click();
        await page.getByRole("link", { name: "Settings" }).click();
        await page.getByRole("heading", { name: "Settings" }).waitFor();
        assert.equal(await page.getByRole("link", { name: "Settings" }).isVisible(), false, "closed again");
        await pageSays(page, "document.activeElement?.id === 'main'");
      },
      { context: { viewport: { width: 360, height: 740 } } },
    );
  });

  test("every control of the chat is reached by Tab, the skip link first", async () => {
    await withPage(
      async (page) => {
        await ask(page, "x");
        await untilDone(page);
        await page.focus(".skip");
        const reached = new Set<string>();
        for (let presses = 0; presses < 60; presses += 1) {
          reached.add(
            String(await page.evaluate("document.activeElement?.id || document.activeElement?.textContent.trim()")),
          );
          await page.keyboard.press("Tab");
        }
        const wanted = ["theme", "new-chat", "history-toggle", "model", "parameters-toggle", "messages", "Edit"];
        for (const id of [...wanted, "Regenerate", "prompt", "send", "temperature", "max-tokens", "format"]) {
          assert.ok(reached.has(id), `${id} is not reached by Tab, only ${[...reached].join(", ")}`);
        }
      },
      { context: { viewport: { width: 1440, height: 900 } } },
    );
  });

  test("still shows everything without motion", async () => {
    await withPage(
      async (page) => {
        await ask(page, "x");
        await untilDone(page);
        assert.equal(await page.evaluate("document.getAnimations().length"), 0);
      },
      { context: { reducedMotion: "reduce" } },
    );
  });
});
