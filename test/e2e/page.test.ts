import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import type { Browser, BrowserContextOptions, Page } from "playwright-core";
import { ExoError } from "../../src/core/errors.js";
import type { InferenceEvent, InferenceRequest } from "../../src/core/inference.js";
import { type ApiUnderTest, withApi } from "../api/api-under-test.js";
import { finished, STARTED, saying } from "../api/scripted-inference.js";
import { findChromium, launch } from "./browser.js";

const chromium = findChromium();
const skip = chromium === null ? "no Chromium on this machine; set CHROMIUM_PATH to run the page's tests" : false;
/** Set to keep pictures of the page. */
const pictures = process.env.PAGE_PICTURES;

const DEFAULT_MESSAGES = ".message-assistant .message-body";

describe("the chat page", { skip }, () => {
  let browser: Browser;
  before(async () => {
    browser = await launch(chromium ?? "");
  });
  after(() => browser.close());

  /** Opens the page; afterwards it must have had no console error and asked nothing of other hosts. */
  async function withPage(
    use: (page: Page, under: ApiUnderTest) => Promise<void>,
    options: BrowserContextOptions = {},
    init: Parameters<typeof withApi>[1] = {},
  ): Promise<void> {
    await withApi(async (under) => {
      const context = await browser.newContext(options);
      const page = await context.newPage();
      page.setDefaultTimeout(10_000);
      const complaints: string[] = [];
      page.on("console", (line) => line.type() === "error" && complaints.push(line.text()));
      page.on("pageerror", (error) => complaints.push(error.message));
      page.on("request", (request) => {
        if (!request.url().startsWith(under.url)) complaints.push(`asked for ${request.url()}`);
      });
      await page.goto(under.url);
      await page.waitForSelector("#model option", { state: "attached" });
      await use(page, under);
      await context.close();
      assert.deepEqual(complaints, []);
    }, init);
  }

  async function ask(page: Page, text: string): Promise<void> {
    await page.fill("#prompt", text);
    await page.keyboard.press("Enter");
  }

  async function picture(page: Page, name: string): Promise<void> {
    if (pictures === undefined) return;
    mkdirSync(pictures, { recursive: true });
    await page.screenshot({ path: join(pictures, `${name}.png`) });
  }

  test("streams an answer and measures it", async () => {
    await withPage(async (page, { inference }) => {
      const more = pausing(inference);
      await ask(page, "What is the capital of France?");
      await more("Paris");
      await page.getByText("Paris", { exact: true }).waitFor();
      await page.waitForSelector(".message-foot >> text=/^TTFT \\d/");
      assert.equal(await page.isVisible("#stop"), true);
      await more(" it is.");
      await more(null);
      await page.waitForSelector("#send:visible");
      assert.equal(await page.textContent(DEFAULT_MESSAGES), "Paris it is.");
      const facts = (await page.textContent(".message-foot")) ?? "";
      assert.match(facts, /TTFT .* · 4\.0 tok\/s · 2 tokens · prompt 7 tokens, 3 of them cached/);
      assert.equal(await page.textContent("#status"), "Answer complete.");
    });
  });

  test("stops, regenerates and keeps the conversation", async () => {
    await withPage(async (page, { inference }) => {
      const more = pausing(inference);
      await ask(page, "Tell me a long story.");
      await more("Once upon a time");
      await page.waitForSelector(".message-assistant .prose");
      await page.click("#stop");
      await page.waitForSelector("text=Stopped.");
      await untilAborted(inference.signals[0]);
      assert.equal(await page.textContent(DEFAULT_MESSAGES), "Once upon a time");

      inference.script = () => saying(["A different", " story."]);
      await page.click("text=Regenerate");
      await page.waitForSelector("text=A different story.");
      assert.equal(await page.locator(".message-assistant").count(), 1);
      assert.deepEqual(messagesOf(inference.requests[1]), ["user: Tell me a long story."]);

      await page.waitForSelector("#send:visible");
      await ask(page, "And then?");
      await page.locator(".message-assistant .prose").nth(1).waitFor();
      assert.deepEqual(messagesOf(inference.requests[2]), [
        "user: Tell me a long story.",
        "assistant: A different story.",
        "user: And then?",
      ]);

      await page.click("text=New chat");
      assert.equal(await page.locator(".message").count(), 0);
      assert.equal(await page.isVisible("#welcome"), true);
    });
  });

  test("Escape stops, Shift+Enter starts a line, and every control is reached by Tab", async () => {
    await withPage(async (page, { inference }) => {
      const more = pausing(inference);
      await page.focus("#prompt");
      await page.keyboard.type("one");
      await page.keyboard.press("Shift+Enter");
      await page.keyboard.type("two");
      await page.keyboard.press("Enter");
      await more("x");
      await page.waitForSelector(".message-assistant .prose");
      await page.keyboard.press("Escape");
      await page.waitForSelector("#send:visible");
      assert.deepEqual(messagesOf(inference.requests[0]), ["user: one\ntwo"]);
      await page.focus(".skip");
      const reached = new Set<string>();
      for (let presses = 0; presses < 20; presses += 1) {
        reached.add(String(await page.evaluate("document.activeElement?.id || document.activeElement?.textContent")));
        await page.keyboard.press("Tab");
      }
      for (const id of [
        "model",
        "new-chat",
        "Regenerate",
        "prompt",
        "send",
        "temperature",
        "max-tokens",
        "theme",
        "api-key",
      ]) {
        assert.ok(reached.has(id), `${id} is not reached by Tab, only ${[...reached].join(", ")}`);
      }
    });
  });

  test("tells errors in the node's own sentence, before and in the middle of an answer", async () => {
    await withPage(async (page, { inference }) => {
      inference.script = async function* () {
        yield STARTED;
        yield { type: "delta", text: "Half an ans" };
        throw new ExoError("stage_lost", "The node laptop went away.");
      };
      await ask(page, "first");
      await page.waitForSelector(".error >> text=The node laptop went away.");
      assert.equal(await page.textContent(DEFAULT_MESSAGES), "Half an ans");
      assert.equal(await page.isVisible("text=Regenerate"), true);
    });
  });

  test("tells a refusal too, and does not ask the unanswered question again", async () => {
    const sentence = "The prompt has 5000 tokens; the context holds 4096.";
    await withApi(async ({ url, inference }) => {
      const page = await browser.newPage();
      await page.goto(url);
      inference.script = () => {
        throw new ExoError("context_exceeded", sentence);
      };
      await ask(page, "too long");
      await page.waitForSelector(`.error >> text=${sentence}`);
      inference.script = () => saying(["Hello."]);
      await ask(page, "short");
      await page.waitForSelector("text=Hello.");
      assert.deepEqual(messagesOf(inference.requests[1]), ["user: short"]);
      await page.close();
    });
  });

  test("shows what a model writes as text, never as HTML", async () => {
    await withPage(async (page, { inference }) => {
      const evil = '<img src=x onerror="document.title=1"><script>document.title=2</script>';
      inference.script = async function* () {
        yield STARTED;
        yield { type: "delta", text: "", reasoning: evil };
        yield { type: "delta", text: `${evil}\n\`\`\`html\n${evil}\n\`\`\`\nafter` };
        yield finished("length", 3);
      };
      await ask(page, evil);
      await page.waitForSelector("text=The answer reached its limit of tokens.");
      assert.equal(await page.locator(".messages img, .messages script").count(), 0);
      assert.equal(await page.title(), "exo-native");
      assert.equal(await page.textContent(".message-assistant pre"), evil);
      assert.equal(await page.locator(".messages").getByText("after", { exact: true }).count(), 1);
      assert.ok((await page.textContent("#ring"))?.includes("attic <b>box</b>"), "a node's name is text too");
    });
  });

  test("draws the ring and says why a node is not used", async () => {
    await withPage(async (page) => {
      const ring = (await page.textContent("#ring")) ?? "";
      assert.match(ring, /desk.*head.*layers 0 to 13 · 310 MiB weights/s);
      assert.match(ring, /laptop.*layers 14 to 23 · 180 MiB weights/s);
      assert.match(ring, /It runs exo-native 0\.0\.9; this node runs 0\.1\.0\./);
      assert.equal(await page.getAttribute("#ring svg", "aria-label"), "A ring of 2 stages, ready");
    });
  });

  test("sends its settings and remembers them", async () => {
    await withPage(async (page, { inference }) => {
      await page.fill("#max-tokens", "33");
      await page.fill("#temperature", "0.3");
      await page.selectOption("#theme", "dark");
      await page.reload();
      await page.waitForSelector("#model option", { state: "attached" });
      assert.equal(await page.getAttribute("html", "data-theme"), "dark");
      await ask(page, "x");
      await page.waitForSelector(".message-assistant .prose");
      const [request] = inference.requests;
      assert.deepEqual([request?.maxTokens, request?.sampling.temperature], [33, 0.3]);
    });
  });

  test("asks with the API key", async () => {
    await withApi(
      async ({ url, inference }) => {
        const page = await browser.newPage();
        await page.goto(url);
        await page.waitForSelector("#ring >> text=This node asks for an API key");
        await page.fill("#api-key", "secret");
        await page.press("#api-key", "Tab");
        await page.waitForSelector("#model option", { state: "attached" });
        await ask(page, "x");
        await page.waitForSelector(".message-assistant .prose");
        assert.equal(inference.requests.length, 1);
        await page.close();
      },
      { apiKeys: ["secret"] },
    );
  });

  test("says that no model is loaded", async () => {
    await withApi(
      async ({ url }) => {
        const page = await browser.newPage();
        await page.goto(url);
        await page.waitForSelector("text=No model is loaded yet. Start one with: exo-native serve <model>");
        await page.close();
      },
      { models: { list: () => [] } },
    );
  });

  for (const [width, height, colorScheme] of [
    [360, 740, "light"],
    [768, 1024, "dark"],
    [1440, 900, "light"],
    [1440, 900, "dark"],
  ] as const) {
    test(`fits ${width} pixels (${colorScheme})`, async () => {
      await withPage(
        async (page, { inference }) => {
          await picture(page, `${width}-${colorScheme}-welcome`);
          inference.script = () => saying([LONG_ANSWER]);
          await ask(
            page,
            "How do I add two numbers in TypeScript, and what is a very-long-word-without-any-end-of-it-at-all-in-sight?",
          );
          await page.waitForSelector("text=Regenerate");
          await picture(page, `${width}-${colorScheme}-chat`);
          assert.equal(await overflow(page), 0, "nothing sticks out sideways");
          if (await page.isVisible("#side-toggle")) {
            await page.click("#side-toggle");
            await picture(page, `${width}-${colorScheme}-side`);
            assert.equal(await page.getAttribute("#side-toggle", "aria-expanded"), "true");
            assert.equal(await overflow(page), 0);
          }
          assert.equal(await page.isVisible("#ring svg"), true);
        },
        { viewport: { width, height }, colorScheme },
      );
    });
  }
});

const LONG_ANSWER = [
  "Use the plus sign. A function that does it:\n\n",
  "```ts\nexport function add(left: number, right: number): number {\n  return left + right; // a long line that has to scroll inside of its own box and not move the page\n}\n```\n",
  "A link with no break: https://example.com/",
  "abcdefghij".repeat(12),
  "\n\nThat is all.",
].join("");

async function overflow(page: Page): Promise<number> {
  return Number(await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"));
}

function messagesOf(request: InferenceRequest | undefined): readonly string[] {
  if (request?.input.kind !== "chat") return [];
  return request.input.messages.map(({ role, content }) => `${role}: ${String(content)}`);
}

async function untilAborted(signal: AbortSignal | undefined): Promise<void> {
  if (signal === undefined || signal.aborted) return;
  await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
}

/** Makes the service say only what is handed to it; `null` ends the answer. */
function pausing(inference: ApiUnderTest["inference"]): (text: string | null) => Promise<void> {
  const taken: (() => void)[] = [];
  const waiting: (string | null)[] = [];
  let arrived = (): void => {};
  inference.script = async function* (_request, signal): AsyncGenerator<InferenceEvent> {
    yield STARTED;
    for (let said = 0; ; said += 1) {
      while (waiting.length === 0) {
        await new Promise<void>((resolve, reject) => {
          arrived = resolve;
          signal.addEventListener("abort", () => reject(signal.reason), { once: true });
        });
      }
      const text = waiting.shift() ?? null;
      taken.shift()?.();
      if (text === null) {
        yield finished("stop", said);
        return;
      }
      yield { type: "delta", text };
    }
  };
  return (text) =>
    new Promise((resolve) => {
      taken.push(resolve);
      waiting.push(text);
      arrived();
    });
}
