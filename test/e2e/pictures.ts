/** `npm run pictures`: the pictures of docs/page.md, taken of a ring of two nodes with the demo model. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Browser, BrowserContextOptions, Page } from "playwright-core";
import { packageRoot } from "../../src/core/package.js";
import { demoModel } from "../support/models.js";
import { NodeProcess } from "../support/node-process.js";
import { findChromium, launch } from "./browser.js";
import { PREPARE_VIEW } from "./prepare-views.js";

const FOLDER = join(packageRoot(), "docs", "images");
const MOST_BYTES = 150_000;
const DESKTOP = { width: 1280, height: 800 };
const PHONE = { width: 360, height: 740 };

const QUESTION = "Write a Python program that prints hello world.";

/** The demo model is small, and would say it again and again. */
const PARAMETERS = { temperature: "0", maxTokens: "200", stop: "\\n```\\n" };

/** Views with a picture of their own; those of the navigation that are not named here get one as they are. */
const CHAT_PICTURES: readonly (readonly [name: string, options: BrowserContextOptions])[] = [
  ["page-chat", { viewport: DESKTOP, colorScheme: "light" }],
  ["page-chat-dark", { viewport: DESKTOP, colorScheme: "dark" }],
  ["page-chat-phone", { viewport: PHONE, colorScheme: "light" }],
];

async function main(): Promise<void> {
  const chromium = findChromium();
  const model = await demoModel();
  if (chromium === null) throw new Error("There is no Chromium on this machine; set CHROMIUM_PATH.");
  if (model === null) throw new Error("The demo model is not in the cache; `npm start` fetches it.");
  mkdirSync(FOLDER, { recursive: true });
  const laptop = await NodeProcess.start({ name: "laptop", args: ["--threads", "1"] });
  const args = [model, "--threads", "1", "--min-nodes", "2", "--ctx", "2048", "--peer", laptop.grpc];
  const desk = await NodeProcess.start({ name: "desk", args });
  const browser = await launch(chromium);
  try {
    await desk.ready();
    for (const [name, options] of CHAT_PICTURES) await withPage(browser, desk.http, options, chatPicture(name));
    await withPage(browser, desk.http, { viewport: DESKTOP }, viewPictures);
  } finally {
    await browser.close();
    await Promise.all([desk.stop(), laptop.stop()]);
  }
}

async function withPage(
  browser: Browser,
  url: string,
  options: BrowserContextOptions,
  use: (page: Page) => Promise<void>,
): Promise<void> {
  const context = await browser.newContext({ ...options, reducedMotion: "reduce" });
  const page = await context.newPage();
  page.setDefaultTimeout(120_000);
  await page.goto(url);
  await page.waitForSelector("#model optgroup", { state: "attached" });
  await use(page);
  await context.close();
}

function chatPicture(name: string): (page: Page) => Promise<void> {
  return async (page) => {
    await page.evaluate(`localStorage.setItem("exo-native.parameters", ${JSON.stringify(JSON.stringify(PARAMETERS))})`);
    await page.reload();
    await page.waitForSelector("#model optgroup", { state: "attached" });
    await page.fill("#prompt", QUESTION);
    await page.press("#prompt", "Enter");
    await page.waitForSelector("#send");
    await page.waitForSelector(".markdown pre span");
    await save(page, name);
  };
}

async function viewPictures(page: Page): Promise<void> {
  const links = page.locator(".navigation a");
  for (const link of await links.all()) {
    const view = ((await link.getAttribute("href")) ?? "").replace("#/", "");
    if (view === "chat" || view === "settings") continue;
    await link.click();
    await page.waitForSelector("main h1", { state: "attached" });
    await PREPARE_VIEW[view]?.(page);
    await save(page, `page-${view}`);
  }
}

async function save(page: Page, name: string): Promise<void> {
  const picture = await page.screenshot({ scale: "css" });
  if (picture.length > MOST_BYTES) throw new Error(`${name}.png has ${picture.length} bytes; make its window smaller.`);
  writeFileSync(join(FOLDER, `${name}.png`), picture);
  console.log(`${name}.png: ${picture.length} bytes`);
}

await main();
