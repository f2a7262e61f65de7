import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ExoError } from "../../src/core/errors.js";
import { STARTED, saying } from "../api/scripted-inference.js";
import { answers, ask, messagesOf, pageTests, skip, untilDone } from "./open-page.js";

describe("what goes wrong", { skip }, () => {
  const { withPage } = pageTests();

  test("in the middle of an answer: what came stays, and it can be had again", async () => {
    await withPage(async (page, { inference }) => {
      inference.script = async function* () {
        yield STARTED;
        yield { type: "delta", text: "Half an ans" };
        throw new ExoError("stage_lost", "The node laptop went away.");
      };
      await ask(page, "first");
      await page.waitForSelector(".failure >> text=The node laptop went away.");
      await page.waitForSelector(".failure >> text=The ring forms again by itself");
      assert.equal(await page.textContent("#status"), "The node laptop went away.");
      assert.deepEqual(await answers(page), ["Half an ans"]);
      inference.script = () => saying(["A whole answer."]);
      await page.locator(".failure").getByRole("button", { name: "Regenerate" }).click();
      await page.waitForSelector("text=A whole answer.");
      assert.deepEqual(messagesOf(inference.requests[1]), ["user: first"]);
    });
  });

  test("a full queue: says when to try again, and does", async () => {
    await withPage(
      async (page, { inference }) => {
        const sentence = "All 4 slots are busy and 16 requests wait already.";
        inference.script = () => {
          throw new ExoError("overloaded", sentence);
        };
        await ask(page, "x");
        await page.waitForSelector(`.failure >> text=${sentence}`);
        inference.script = () => saying(["Now."]);
        await page.locator(".failure").getByRole("button", { name: "Try again", exact: true }).click();
        await page.waitForSelector("text=Now.");
      },
      { refusals: true },
    );
  });

  test("a prompt that is too long: both numbers and a way out; it is not sent again with the next one", async () => {
    await withPage(
      async (page, { inference }) => {
        const sentence = "The prompt has 5000 tokens; the context holds 4096.";
        inference.script = () => {
          throw new ExoError("context_exceeded", sentence);
        };
        await ask(page, "too long");
        await page.waitForSelector(`.failure >> text=${sentence}`);
        assert.equal(await page.locator(".failure").getByRole("button", { name: "New chat" }).isVisible(), true);
        inference.script = () => saying(["Hello."]);
        await ask(page, "short");
        await page.waitForSelector("text=Hello.");
        await untilDone(page);
        assert.deepEqual(messagesOf(inference.requests[1]), ["user: short"]);
      },
      { refusals: true },
    );
  });

  test("a field that the node refuses: leads to the parameters", async () => {
    await withPage(
      async (page, { inference }) => {
        inference.script = () => {
          throw new ExoError("invalid_argument", "The schema of the answer cannot be used.");
        };
        await ask(page, "x");
        await page.locator(".failure").getByRole("button", { name: "Open the parameters" }).click();
        await page.waitForSelector("#parameters:visible");
      },
      { refusals: true, context: { viewport: { width: 900, height: 800 } } },
    );
  });
});
