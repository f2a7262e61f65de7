import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { finished, STARTED, saying } from "../api/scripted-inference.js";
import { answers, ask, messagesOf, pageSays, pageTests, pausing, skip, untilAborted, untilDone } from "./open-page.js";

describe("the page's chat", { skip }, () => {
  const { withPage, openPage } = pageTests();

  test("streams an answer and measures it", async () => {
    await withPage(async (page, { inference }) => {
      const more = pausing(inference);
      await ask(page, "What is the capital of France?");
      await page.waitForSelector(".facts >> text=/^waiting \\d/");
      await more("Paris");
      await page.getByText("Paris", { exact: true }).waitFor();
      await page.waitForSelector(".facts >> text=/^TTFT \\d/");
      assert.equal(await page.isVisible("#stop"), true);
      assert.equal(await page.getAttribute(".message-assistant", "aria-busy"), "true");
      await more(" it is.");
      await more(null);
      await untilDone(page);
      assert.deepEqual(await answers(page), ["Paris it is."]);
      const facts = (await page.textContent(".facts")) ?? "";
      assert.match(facts, /TTFT .* · 4\.0 tok\/s · 2 tokens · prompt 7 tokens, 3 of them cached/);
      assert.equal(await page.textContent("#status"), "Answer complete.");
      assert.match((await page.textContent(".context")) ?? "", /9 of 4,096 tokens of context/);
      assert.equal(await page.getAttribute(".message-assistant", "aria-busy"), "false");
    });
  });

  test("stops by button and by Escape, and keeps what came", async () => {
    await withPage(async (page, { inference }) => {
      const more = pausing(inference);
      await ask(page, "Tell me a long story.");
      await more("Once upon a time");
      await page.getByText("Once upon a time").waitFor();
      await page.click("#stop");
      await page.waitForSelector(".message-foot >> text=Stopped.");
      await untilAborted(inference.signals[0]);
      assert.deepEqual(await answers(page), ["Once upon a time"]);

      await ask(page, "Another one.");
      await more("It was");
      await page.getByText("It was").waitFor();
      await page.keyboard.press("Escape");
      await untilAborted(inference.signals[1]);
      await untilDone(page);
      assert.deepEqual(await answers(page), ["Once upon a time", "It was"]);
    });
  });

  test("makes an answer again, as a version beside the first one", async () => {
    await withPage(async (page, { inference }) => {
      inference.script = () => saying(["The first."]);
      await ask(page, "Tell me a story.");
      await page.waitForSelector("text=The first.");
      inference.script = () => saying(["The second."]);
      await page.click("text=Regenerate");
      await page.waitForSelector("text=The second.");
      await untilDone(page);
      assert.deepEqual(messagesOf(inference.requests[1]), ["user: Tell me a story."]);
      assert.deepEqual(await answers(page), ["The second."]);
      assert.equal(await page.textContent(".message-assistant .branches span"), "2 of 2");
      await page.click(".message-assistant >> [aria-label='Earlier version']");
      await page.waitForSelector("text=The first.");

      await ask(page, "And then?");
      await pageSays(page, "document.querySelectorAll('.message-assistant').length === 2");
      await untilDone(page);
      assert.deepEqual(messagesOf(inference.requests[2]), [
        "user: Tell me a story.",
        "assistant: The first.",
        "user: And then?",
      ]);
    });
  });

  test("an edited question goes on from there; the first one stays as a version", async () => {
    await withPage(async (page, { inference }) => {
      inference.script = () => saying(["A cat."]);
      await ask(page, "Name an animal.");
      await page.waitForSelector("text=A cat.");
      await untilDone(page);
      await ask(page, "Another.");
      await pageSays(page, "document.querySelectorAll('.message-assistant').length === 2");
      await untilDone(page);
      inference.script = () => saying(["An oak."]);
      await page.locator(".message-user").first().getByRole("button", { name: "Edit" }).click();
      await page.fill(".question-editor textarea", "Name a tree.");
      await page.press(".question-editor textarea", "Enter");
      await page.waitForSelector("text=An oak.");
      await untilDone(page);
      assert.deepEqual(messagesOf(inference.requests[2]), ["user: Name a tree."]);
      assert.deepEqual(await answers(page), ["An oak."]);
      await page.click(".message-user >> [aria-label='Earlier version']");
      await page.waitForSelector("text=A cat.");
      assert.equal(await page.locator(".message-assistant").count(), 2, "with what followed it");
    });
  });

  test("Escape leaves an edit as it was", async () => {
    await withPage(async (page) => {
      await ask(page, "Name an animal.");
      await untilDone(page);
      await page.getByRole("button", { name: "Edit" }).click();
      await page.fill(".question-editor textarea", "Something else");
      await page.keyboard.press("Escape");
      await page.waitForSelector(".message-user .prose");
      assert.equal(await page.textContent(".message-user .prose"), "Name an animal.");
      await pageSays(page, "document.activeElement?.textContent.trim() === 'Edit'");
    });
  });

  test("Shift+Enter starts a line, and the keys are listed", async () => {
    await withPage(async (page, { inference }) => {
      await page.focus("#prompt");
      await page.keyboard.type("one");
      await page.keyboard.press("Shift+Enter");
      await page.keyboard.type("two");
      await page.keyboard.press("Enter");
      await untilDone(page);
      assert.deepEqual(messagesOf(inference.requests[0]), ["user: one\ntwo"]);
      await page.keyboard.press("Control+/");
      await page.waitForSelector("dialog[open] >> text=sends the message");
      await page.keyboard.press("Escape");
      await page.waitForSelector("dialog", { state: "hidden" });
      await page.keyboard.press("Control+Shift+O");
      await page.waitForSelector("#welcome");
    });
  });

  test("folds what the model thought, and shows the tools it calls", async () => {
    await withPage(async (page, { inference }) => {
      inference.script = async function* () {
        yield STARTED;
        yield { type: "delta", text: "", reasoning: "Oslo is in Norway." };
        yield { type: "delta", text: "Let me look." };
        yield { type: "delta", text: "", toolCalls: [{ index: 0, id: "call-1", name: "weather", arguments: '{"ci' }] };
        yield { type: "delta", text: "", toolCalls: [{ index: 0, arguments: 'ty":"Oslo"}' }] };
        yield finished("tool_calls", 4);
      };
      await ask(page, "How warm is it?");
      await page.waitForSelector("text=The model asks for the tools above to be called.");
      assert.equal(await page.isVisible("text=Oslo is in Norway."), false);
      await page.click("text=/^Thought for/");
      assert.equal(await page.isVisible("text=Oslo is in Norway."), true);
      assert.equal(await page.textContent(".tool-call summary"), "Tool call: weather");
      assert.equal(await page.textContent(".tool-call pre"), '{\n  "city": "Oslo"\n}');
    });
  });

  test("sends its parameters, remembers them, and forgets them when asked", async () => {
    await withPage(
      async (page, { inference }) => {
        await page.fill("#max-tokens", "33");
        await page.fill("#temperature", "0.3");
        await page.fill("#system-prompt", "Be brief.");
        await page.fill("#stop", "END\nHALT");
        await page.selectOption("#format", "json_schema");
        await page.fill("#schema", '{"type": "object"');
        await ask(page, "x");
        await page.waitForSelector(".notice >> text=The schema is not JSON");
        assert.equal(inference.requests.length, 0);
        await page.fill("#schema", '{"type": "object"}');
        await page.reload();
        await ask(page, "x");
        await untilDone(page);
        const [request] = inference.requests;
        assert.deepEqual([request?.maxTokens, request?.stop], [33, ["END", "HALT"]]);
        assert.deepEqual(request?.sampling, { temperature: 0.3, jsonSchema: '{"type":"object"}' });
        assert.deepEqual(messagesOf(request), ["system: Be brief.", "user: x"]);
        await page.getByRole("button", { name: "Reset" }).click();
        assert.equal(await page.inputValue("#temperature"), "");
      },
      { context: { viewport: { width: 1440, height: 900 } } },
    );
  });

  test("says that a model is not loaded, loads it when asked, and shows how far that is", async () => {
    const asked: string[] = [];
    const list = () => [{ id: "tiny", created: 1, ownedBy: "exo-native", state: "unloaded" as const }];
    const load = async (model: string): Promise<never> => {
      asked.push(model);
      throw new Error("not in this test");
    };
    await withPage(
      async (page) => {
        await page.waitForSelector("text=tiny is not loaded: your first message loads it.");
        await page.click("text=Load it now");
        await page.waitForSelector(".notice");
        assert.deepEqual(asked, ["tiny"]);
      },
      { refusals: true, api: { models: { list }, rings: { load, whenReady: load, unload: load } } },
    );
  });

  test("says that there is no model", async () => {
    await withPage(
      async (page) => {
        await page.waitForSelector("text=No model is known yet. Start one with: exo-native serve <model>");
      },
      { api: { models: { list: () => [] } } },
    );
  });

  test("an answer goes on while another view or conversation is looked at", async () => {
    await withPage(async (page, { inference }) => {
      const more = pausing(inference);
      await ask(page, "Tell me a long story.");
      await more("Once ");
      await page.getByText("Once").waitFor();
      await page.getByRole("link", { name: "Settings" }).click();
      await page.getByRole("heading", { name: "Settings" }).waitFor();
      await more("upon a time.");
      await page.getByRole("link", { name: "Chat", exact: true }).click();
      await page.getByText("Once upon a time.").waitFor();
      await page.click("#new-chat");
      await page.waitForSelector("#welcome");
      await more(" The end.");
      await more(null);
      await page.click(".history .entry");
      await page.getByText("Once upon a time. The end.").waitFor();
      await untilDone(page);
    });
  });

  test("asks with the API key, as long as the tab is open", async () => {
    await withPage(
      async (page, { inference, url }) => {
        await page.waitForSelector(".model-note >> text=This node asks for an API key");
        await page.getByRole("link", { name: "Settings" }).click();
        await page.fill("#api-key", "secret");
        await page.getByRole("button", { name: "Use", exact: true }).click();
        await page.getByRole("link", { name: "Chat", exact: true }).click();
        await page.waitForSelector("#model optgroup", { state: "attached" });
        await ask(page, "x");
        await untilDone(page);
        await page.reload();
        await page.waitForSelector("#model optgroup", { state: "attached" });
        assert.equal(inference.requests.length, 1);
        const other = await page.context().browser()?.newContext();
        const fresh = await other?.newPage();
        await fresh?.goto(url);
        await fresh?.waitForSelector(".model-note >> text=This node asks for an API key");
        await other?.close();
      },
      { refusals: true, api: { apiKeys: ["secret"] } },
    );
  });

  test("is there without a node, once it was fetched, and says that the node is gone", async () => {
    await withPage(
      async (page, { api }) => {
        await ask(page, "x");
        await untilDone(page);
        await api.stop();
        await ask(page, "y");
        await page.waitForSelector(".failure >> text=The node cannot be reached; check that it still runs.");
        assert.equal(await page.isVisible("text=Try again"), true);
      },
      { refusals: true },
    );
  });

  test("an address without a view says so", async () => {
    await withPage(async (page, { url }) => {
      await page.goto(`${url}/#/nowhere`);
      await page.getByRole("heading", { name: "There is no such view" }).waitFor();
    });
  });

  test("opens on the address that it is given", async () => {
    await withPage(async (page, { url }) => {
      await openPage(url, async (second) => {
        await second.goto(`${url}/#/connect`);
        await second.getByRole("heading", { name: "Connect your app" }).waitFor();
        assert.equal(await second.title(), "Connect · exo-native");
      });
      assert.equal(await page.title(), "Chat · exo-native");
    });
  });
});
