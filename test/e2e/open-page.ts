import assert from "node:assert/strict";
import { after, before } from "node:test";
import type { Browser, BrowserContextOptions, Page } from "playwright-core";
import type { InferenceEvent, InferenceRequest } from "../../src/core/inference.js";
import { type ApiUnderTest, withApi } from "../api/api-under-test.js";
import { finished, STARTED } from "../api/scripted-inference.js";
import { eventually } from "../support/eventually.js";
import { findChromium, launch } from "./browser.js";

const chromium = findChromium();

/** Why the page's tests cannot run here, or `false`. */
export const skip =
  chromium === null ? "no Chromium on this machine; set CHROMIUM_PATH to run the page's tests" : false;

export interface PageOptions {
  readonly context?: BrowserContextOptions;
  readonly api?: Parameters<typeof withApi>[1];
  /** The node will refuse something, which browsers write to the console. */
  readonly refusals?: boolean;
}

export type UsePage = (page: Page, under: ApiUnderTest) => Promise<void>;

/** A browser for the tests of a file, and pages of a server under test in it. */
export function pageTests(): {
  withPage(use: UsePage, options?: PageOptions): Promise<void>;
  openPage(url: string, use: (page: Page) => Promise<void>, options?: PageOptions): Promise<void>;
} {
  let browser: Browser | null = null;
  before(async () => {
    browser = await launch(chromium ?? "");
  });
  after(() => browser?.close());

  /** Opens the page; afterwards it must have had no console error and asked nothing of other hosts. */
  async function openPage(url: string, use: (page: Page) => Promise<void>, options: PageOptions = {}): Promise<void> {
    assert.ok(browser, "the browser runs");
    const context = await browser.newContext(options.context ?? {});
    try {
      const page = await context.newPage();
      page.setDefaultTimeout(15_000);
      const complaints = watchComplaints(page, url, options.refusals ?? false);
      await page.goto(url);
      await page.waitForSelector("#prompt");
      await use(page);
      assert.deepEqual(complaints, []);
    } finally {
      await context.close();
    }
  }

  return {
    openPage,
    withPage: (use, options = {}) =>
      withApi((under) => openPage(under.url, (page) => use(page, under), options), options.api ?? {}),
  };
}

function watchComplaints(page: Page, url: string, refusals: boolean): readonly string[] {
  const complaints: string[] = [];
  page.on("console", (line) => {
    const refusal = refusals && line.text().startsWith("Failed to load resource");
    if (line.type() === "error" && !refusal) complaints.push(line.text());
  });
  page.on("pageerror", (error) => complaints.push(error.message));
  page.on("request", (request) => {
    const asked = request.url();
    if (!asked.startsWith(url) && !asked.startsWith("blob:")) complaints.push(`asked for ${asked}`);
  });
  return complaints;
}

export async function ask(page: Page, text: string): Promise<void> {
  await page.fill("#prompt", text);
  await page.press("#prompt", "Enter");
}

/** The text of each answer that is shown. */
export async function answers(page: Page): Promise<readonly string[]> {
  return page.locator(".message-assistant .markdown").allTextContents();
}

export async function untilDone(page: Page): Promise<void> {
  await page.waitForSelector("#send");
}

/** Pixels by which the page is wider than its window. */
export async function overflow(page: Page): Promise<number> {
  return Number(await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"));
}

export function messagesOf(request: InferenceRequest | undefined): readonly string[] {
  if (request?.input.kind !== "chat") return [];
  return request.input.messages.map(({ role, content }) => `${role}: ${String(content)}`);
}

export async function untilAborted(signal: AbortSignal | undefined): Promise<void> {
  if (signal === undefined || signal.aborted) return;
  await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
}

/** Makes the service say only what is handed to it; `null` ends the answer. */
export function pausing(inference: ApiUnderTest["inference"]): (text: string | null) => Promise<void> {
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

/** Waits until an expression is true in the page. Playwright's own `waitForFunction` would evaluate it there, which the page forbids. */
export async function pageSays(page: Page, expression: string): Promise<void> {
  await eventually(async () => assert.equal(await page.evaluate(expression), true, expression));
}
