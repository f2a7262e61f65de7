import type { Page } from "playwright-core";

/** What a view shows only when it is asked to; for its picture. By the view's id. */
export const PREPARE_VIEW: Readonly<Record<string, (page: Page) => Promise<void>>> = {
  cluster: async (page) => {
    await page.locator(".stage-card").first().waitFor();
    await page.locator(".ring-edges .edge").first().waitFor({ state: "attached" });
  },
  models: async (page) => {
    await page.locator(".model-row", { hasText: "loaded" }).first().click();
    await page.getByRole("slider").waitFor();
    await page.getByRole("slider").press("ArrowLeft");
    await page.locator('.hand-prediction[aria-busy="false"] .split-speed').waitFor();
    await page.locator(".prediction-fit").scrollIntoViewIfNeeded();
  },
  bench: async (page) => {
    await page.getByRole("button", { name: "Measure" }).click();
    await page.locator(".chart").first().waitFor();
  },
  doctor: async (page) => {
    await page.getByRole("button", { name: "Look now" }).click();
    await page.locator(".findings").first().waitFor();
  },
  traces: async (page) => {
    const request = page.locator(".table-scroll th a").first();
    await request.click();
    await page.locator(".waterfall").waitFor();
  },
};
