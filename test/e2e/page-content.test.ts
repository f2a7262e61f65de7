import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { finished, STARTED, saying } from "../api/scripted-inference.js";
import { ask, overflow, pageTests, skip, untilDone } from "./open-page.js";

const EVIL = '<img src=x onerror="document.title=1"><script>document.title=2</script>';

const HOSTILE = [
  EVIL,
  "[run](javascript:document.title=3) [data](data:text/html,x) [here](/cluster) [two](java\tscript:alert(1))",
  "[entity](javascript&colon;alert(1)) [number](&#106;avascript:alert(1)) <javascript:alert(1)>",
  '![picture](https://tracker.example/x.png) ![bad](javascript:alert(1) "x")',
  '<iframe src="https://example.com"></iframe> <a href="javascript:alert(1)" onclick="alert(1)">raw</a>',
  "<style>body { display: none }</style>",
  "```html\n<script>document.title=4</script>\n```",
  '```"><img src=x onerror=alert(1)>\ncode\n```',
  "| a | b |\n| - | - |\n| <b>x</b> | [l](vbscript:x) |",
].join("\n\n");

describe("what a model writes", { skip }, () => {
  const { withPage } = pageTests();

  test("is shown as Markdown", async () => {
    await withPage(async (page, { inference }) => {
      inference.script = () => saying([...MARKDOWN].map((character) => character));
      await ask(page, "Show me all.");
      await page.waitForSelector(".markdown .hljs-keyword");
      await untilDone(page);
      const markdown = page.locator(".markdown");
      assert.equal(await markdown.locator("h3").textContent(), "A title");
      assert.deepEqual(await markdown.locator("ul > li").allTextContents(), ["one", "two & three"]);
      assert.deepEqual(await markdown.locator("th").allTextContents(), ["left", "right"]);
      assert.equal(await markdown.locator("td.right").textContent(), "2");
      assert.equal(await markdown.locator("pre").textContent(), "const x = 1;");
      assert.equal(await markdown.locator("blockquote").textContent(), "said");
      const link = markdown.locator("a");
      assert.equal(await link.getAttribute("href"), "https://example.com/a?b=1&c=2");
      assert.equal(await link.getAttribute("rel"), "noopener noreferrer nofollow");
      assert.equal(await link.getAttribute("target"), "_blank");
    });
  });

  test("never becomes HTML, a script, or a request", async () => {
    await withPage(async (page, { inference }) => {
      inference.script = async function* () {
        yield STARTED;
        yield { type: "delta", text: "", reasoning: EVIL };
        yield { type: "delta", text: HOSTILE };
        yield { type: "delta", text: "", toolCalls: [{ index: 0, id: "1", name: EVIL, arguments: EVIL }] };
        yield finished("length", 3);
      };
      await ask(page, EVIL);
      await page.waitForSelector("text=The answer reached its limit of tokens");
      assert.equal(await page.locator(".messages :is(img, script, iframe, style, object, form)").count(), 0);
      assert.equal(await page.title(), "Chat · exo-native");
      const links = await page.evaluate(
        `[...document.querySelectorAll(".messages a")].map(({ href }) => href).filter((href) => !href.startsWith(location.origin))`,
      );
      assert.deepEqual(links, ["https://tracker.example/x.png"]);
      assert.equal(await page.getByText("Image: picture").count(), 1);
      assert.equal(await page.locator(".messages [onclick], .messages [onerror], .messages [style]").count(), 0);
      await page.reload();
      await page.waitForSelector(".message-assistant");
      assert.equal(await page.locator(".messages :is(img, script, iframe, style)").count(), 0, "nor from storage");
    });
  });

  test("may be a huge table, or nested without end: it stays in its box, and the page lives", async () => {
    await withPage(
      async (page, { inference }) => {
        const row = `|${" cell |".repeat(60)}`;
        const table = [row, `|${" - |".repeat(60)}`, ...Array.from({ length: 200 }, () => row)].join("\n");
        inference.script = () =>
          saying([table, "\n\n", ">".repeat(4000), " deep\n\n", "[".repeat(4000), "\n\nThe end."]);
        await ask(page, "x");
        await page.waitForSelector("text=The end.");
        await untilDone(page);
        assert.equal(await page.locator(".markdown tbody tr").count(), 200);
        assert.equal(await overflow(page), 0);
        inference.script = () => saying(["Still here."]);
        await ask(page, "y");
        await page.waitForSelector("text=Still here.");
      },
      { context: { viewport: { width: 360, height: 740 } } },
    );
  });

  test("is copied from a code block", async () => {
    await withPage(
      async (page, { inference }) => {
        inference.script = () => saying(["```sh\necho hello\n```"]);
        await ask(page, "x");
        await page.getByRole("button", { name: "Copy the code" }).click();
        await page.waitForSelector("text=Copied");
        assert.equal(await page.evaluate("navigator.clipboard.readText()"), "echo hello");
      },
      { context: { permissions: ["clipboard-read", "clipboard-write"] } },
    );
  });

  test("is not drawn again when it is done, however long the answer gets", async (context) => {
    await withPage(async (page, { inference }) => {
      const paragraphs = 40;
      const tokens = Array.from({ length: 2000 }, (_, index) => (index % 50 === 49 ? ".\n\n" : `word${index} `));
      let release = (): void => {};
      const half = new Promise<void>((resolve) => {
        release = resolve;
      });
      inference.script = async function* () {
        yield STARTED;
        for (const [index, text] of tokens.entries()) {
          if (index === 1000) await half;
          yield { type: "delta", text };
        }
        yield finished("stop", tokens.length);
      };
      await page.evaluate(WATCH_LONG_TASKS);
      await ask(page, "x");
      await page.locator(".markdown p").nth(19).waitFor();
      await page.evaluate(WATCH_DONE_PARAGRAPHS);
      release();
      await untilDone(page);
      assert.equal(await page.locator(".markdown p").count(), paragraphs);
      const changes = Number(await page.evaluate("window.changesOfDone"));
      assert.equal(changes, 0, "paragraphs that were done were touched");
      context.diagnostic(`tasks over 50 ms: ${JSON.stringify(await page.evaluate("window.longTasks"))}`);
    });
  });
});

const MARKDOWN = [
  "# A title\n\nText with *stress*, **weight** and `code`.\n\n",
  "- one\n- two &amp; three\n\n> said\n\n",
  "| left | right |\n| --- | --: |\n| 1 | 2 |\n\n",
  "[a link](https://example.com/a?b=1&c=2)\n\n```ts\nconst x = 1;\n```\n",
].join("");

const WATCH_LONG_TASKS = `
  window.longTasks = [];
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) window.longTasks.push(Math.round(entry.duration));
  }).observe({ entryTypes: ["longtask"] });
`;

/** Counts what happens to the paragraphs that are complete now, and to their places. */
const WATCH_DONE_PARAGRAPHS = `
  window.changesOfDone = 0;
  const done = [...document.querySelectorAll(".markdown p")].slice(0, 19);
  const observer = new MutationObserver((records) => { window.changesOfDone += records.length; });
  for (const paragraph of done) {
    observer.observe(paragraph, { childList: true, characterData: true, attributes: true, subtree: true });
  }
  new MutationObserver((records) => {
    for (const { removedNodes } of records) {
      for (const node of removedNodes) if (done.includes(node)) window.changesOfDone += 1;
    }
  }).observe(document.querySelector(".markdown"), { childList: true });
`;
