import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core";
import { afterAll, beforeAll, expect, onTestFinished } from "vitest";

const executablePath = process.env.MODELSHIP_TEST_CHROMIUM ?? "/usr/bin/chromium";
const args = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"];
const silent = ["--disable-background-networking", "--disable-component-update", "--disable-sync"];

/** What Chromium logs by itself for an answer that is no success. */
const expected = /^Failed to load resource: the server responded with a status of/;

/** One Chromium for a file of tests. `open` gives a page that must come to its end without any complaint. */
export function useBrowser() {
  let browser: Browser;
  beforeAll(async () => {
    browser = await chromium.launch({ executablePath, args: [...args, ...silent] });
  });
  afterAll(() => browser.close());
  return {
    async open(url: string, options: BrowserContextOptions = {}): Promise<Page> {
      const context = await browser.newContext({ viewport: { width: 1280, height: 860 }, ...options });
      const page = await context.newPage();
      page.setDefaultTimeout(15_000);
      const complaints: string[] = [];
      page.on("console", (message) => {
        if (["error", "warning"].includes(message.type()) && !expected.test(message.text()))
          complaints.push(message.text());
      });
      page.on("pageerror", (error) => complaints.push(String(error.stack)));
      page.on("dialog", async (dialog) => {
        complaints.push(`a dialog: ${dialog.message()}`);
        await dialog.dismiss();
      });
      page.on("request", (request) => {
        if (!request.url().startsWith(new URL(url).origin) && !request.url().startsWith("data:"))
          complaints.push(`a request to ${request.url()}`);
      });
      onTestFinished(async () => {
        await context.close();
        expect(complaints).toEqual([]);
      });
      await page.goto(url);
      return page;
    },
  };
}

/** Presses Tab until the focus is where `selector` says, and proves on the way that the focus can be seen. */
export async function tabTo(page: Page, selector: string): Promise<void> {
  for (let presses = 0; presses < 60; presses++) {
    await page.keyboard.press("Tab");
    const [there, seen] = (await page.evaluate(
      `(() => { const at = document.activeElement; return [at.matches(${JSON.stringify(selector)}), at.matches(".off-screen") || getComputedStyle(at).outlineStyle !== "none"]; })()`,
    )) as [boolean, boolean];
    expect(seen, "the focus is visible").toBe(true);
    if (there) return;
  }
  throw new Error(`Tab does not lead to ${selector}`);
}
