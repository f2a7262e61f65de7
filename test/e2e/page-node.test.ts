import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { tinyModel } from "../support/models.js";
import { NodeProcess } from "../support/node-process.js";
import { answers, ask, pageTests, skip, untilDone } from "./open-page.js";

const TEMPLATE = "{% for message in messages %}{{ message.role }}: {{ message.content }}\n{% endfor %}assistant:";

/** What comes of random weights is no sense, but it comes from a real ring. */
describe("the page of a real node", { skip }, () => {
  const { openPage } = pageTests();
  let node: NodeProcess;
  before(async () => {
    const model = tinyModel({ chatTemplate: TEMPLATE, contextLength: 8192 });
    node = await NodeProcess.start({ name: "page", args: [model, "--no-discovery", "--slots", "1", "--ctx", "8192"] });
    await node.ready();
  });
  after(() => node?.stop());

  test("answers, with what the node measured", async () => {
    await openPage(node.http, async (page) => {
      await page.waitForSelector("#model optgroup[label='Loaded']", { state: "attached" });
      await page.fill("#max-tokens", "24");
      await page.fill("#temperature", "0");
      await ask(page, "hello");
      await page.waitForSelector("text=The answer reached its limit of tokens");
      assert.match((await page.textContent(".facts")) ?? "", /^TTFT .* tok\/s · 24 tokens · prompt \d+ tokens/);
      assert.match((await page.textContent(".context")) ?? "", /of 8,192 tokens of context/);
      const [first] = await answers(page);
      assert.notEqual(first, "");
      await page.click("text=Regenerate");
      await page.waitForSelector(".branches >> text=2 of 2");
      await untilDone(page);
      assert.deepEqual(await answers(page), [first], "without chance it says the same");
    });
  });

  test("stops, which frees the slot", async () => {
    await openPage(node.http, async (page) => {
      await ask(page, "hello");
      await page.waitForSelector(".facts >> text=/tok\\/s/");
      await page.keyboard.press("Escape");
      await page.waitForSelector(".message-foot >> text=Stopped.");
      await page.fill("#max-tokens", "4");
      await ask(page, "again");
      await page.waitForSelector("text=The answer reached its limit of tokens");
    });
  });

  test("tells both numbers of a prompt that is too long", async () => {
    await openPage(
      node.http,
      async (page) => {
        await ask(page, "x".repeat(9000));
        const told = page.locator(".failure p").first();
        await told.waitFor();
        assert.match((await told.textContent()) ?? "", /9\d\d\d.*8192/s);
      },
      { refusals: true },
    );
  });
});
