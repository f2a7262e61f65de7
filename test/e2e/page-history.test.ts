import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { describe, test } from "node:test";
import { saying } from "../api/scripted-inference.js";
import { answers, ask, messagesOf, pageSays, pageTests, pausing, skip, untilDone } from "./open-page.js";

describe("the page's conversations", { skip }, () => {
  const { withPage } = pageTests();

  test("are there after a reload, and go on", async () => {
    await withPage(async (page, { inference }) => {
      inference.script = () => saying(["**Paris** it is."]);
      await ask(page, "What is the capital of France?");
      await page.waitForSelector("strong >> text=Paris");
      await untilDone(page);
      await page.click("#new-chat");
      await ask(page, "And of Norway?");
      await untilDone(page);
      await page.reload();
      await page.waitForSelector(".history .entry");
      const titles = await page.locator(".history .entry").allTextContents();
      assert.deepEqual(
        titles.map((title) => title.trim()),
        ["And of Norway?", "What is the capital of France?"],
      );
      await page.click("text=What is the capital of France?");
      await page.waitForSelector("strong >> text=Paris");
      assert.match((await page.textContent(".facts")) ?? "", /TTFT/);
      await ask(page, "Sure?");
      await pageSays(page, "document.querySelectorAll('.message-assistant').length === 2");
      await untilDone(page);
      assert.deepEqual(messagesOf(inference.requests[2]), [
        "user: What is the capital of France?",
        "assistant: **Paris** it is.",
        "user: Sure?",
      ]);
    });
  });

  test("keep what came of an answer when the page is left in the middle", async () => {
    await withPage(async (page, { inference }) => {
      const more = pausing(inference);
      await ask(page, "Tell me a story.");
      await more("Once upon a time");
      await page.getByText("Once upon a time").waitFor();
      await page.reload();
      await page.waitForSelector(".message-foot >> text=Stopped.");
      assert.deepEqual(await answers(page), ["Once upon a time"]);
    });
  });

  test("are renamed, saved as files and deleted", async () => {
    await withPage(async (page, { inference }) => {
      inference.script = () => saying(["Paris."]);
      await ask(page, "What is the capital of France?");
      await page.waitForSelector("text=Paris.");
      await untilDone(page);
      await page.getByRole("button", { name: "Rename" }).click();
      await page.fill(".history input", "Capitals");
      await page.press(".history input", "Enter");
      await page.waitForSelector(".history .entry >> text=Capitals");

      const [markdown] = await Promise.all([
        page.waitForEvent("download"),
        page.getByRole("button", { name: "Save .md" }).click(),
      ]);
      assert.equal(markdown.suggestedFilename(), "capitals.md");
      const text = await readFile(await markdown.path(), "utf8");
      assert.equal(text, "# Capitals\n\n## You\n\nWhat is the capital of France?\n\n## demo/tiny:Q8_0\n\nParis.\n");

      const [json] = await Promise.all([
        page.waitForEvent("download"),
        page.getByRole("button", { name: "Save .json" }).click(),
      ]);
      const kept: unknown = JSON.parse(await readFile(await json.path(), "utf8"));
      assert.equal(Reflect.get(Object(kept), "name"), "Capitals");

      await page.getByRole("button", { name: "Delete" }).click();
      await page.getByRole("button", { name: "Really delete" }).click();
      await page.waitForSelector("#welcome");
      assert.equal(await page.locator(".history .entry").count(), 0);
      await page.reload();
      await page.waitForSelector("#welcome");
    });
  });

  test("of another tab appear here too", async () => {
    await withPage(async (page, { url, inference }) => {
      inference.script = () => saying(["Hello."]);
      const other = await page.context().newPage();
      await other.goto(url);
      await other.waitForSelector("#prompt");
      await ask(other, "From the other tab");
      await untilDone(other);
      await page.waitForSelector(".history .entry >> text=From the other tab");
    });
  });
});
