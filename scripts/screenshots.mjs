#!/usr/bin/env node
// The pictures of the playground in docs/, from a service that runs: light, dark and on a phone.
//   modelship init digits --template sklearn --yes && cd digits && modelship dev
//   node scripts/screenshots.mjs http://127.0.0.1:8080
import { join } from "node:path";
import { chromium } from "playwright-core";
import { root } from "./setup/state.mjs";

const desk = { viewport: { width: 1280, height: 860 } };
const phone = {
  viewport: { width: 390, height: 844 },
  deviceScaleFactor: 1.5,
  isMobile: true,
  hasTouch: true,
};
const pictures = {
  light: { ...desk, colorScheme: "light" },
  dark: { ...desk, colorScheme: "dark" },
  phone: { ...phone, colorScheme: "light" },
};

async function main(url) {
  if (!url) throw new Error("Which service? node scripts/screenshots.mjs http://127.0.0.1:8080");
  const executablePath = process.env.MODELSHIP_TEST_CHROMIUM ?? "/usr/bin/chromium";
  const browser = await chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-gpu"] });
  try {
    for (const [name, options] of Object.entries(pictures)) {
      const page = await browser.newPage(options);
      await page.goto(url);
      // The second answer: the first pays for what a model makes on its first call.
      for (let asked = 0; asked < 2; asked++) {
        const answered = page.waitForResponse(/\/predict$/);
        await page.locator("#send").click();
        await (await answered).finished();
      }
      await page.locator(".bars").waitFor();
      await page.evaluate("scrollTo(0, 0)");
      await page.screenshot({ path: join(root, `docs/playground-${name}.png`), fullPage: true });
      await page.close();
    }
  } finally {
    await browser.close();
  }
}

main(process.argv[2]).catch((error) => {
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
});
