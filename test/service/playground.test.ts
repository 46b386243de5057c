import { writeFile } from "node:fs/promises";
import { createServer, request as httpRequest } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import type { Locator, Page } from "playwright-core";
import { describe, expect, onTestFinished, test } from "vitest";
import { tabTo, useBrowser } from "../setup/browser.js";
import { startService } from "../setup/service.js";
import { contrastOf } from "./contrast.js";
import { attack, digits, fields, hostile, parrot, story, versions } from "./models.js";

const browser = useBrowser();
const key = "a-key-of-the-test-0123456789";

/** As it is shown: without what is hidden. */
// biome-ignore lint/performance/useDomNodeTextContent: what a person sees is what is tested
const shown = (place: Locator) => place.innerText();
const text = (page: Page, selector: string) => shown(page.locator(selector));

/** By the label that a person reads. */
const field = (page: Page, label: string) => page.getByLabel(label, { exact: true });

async function playground(files: Readonly<Record<string, string>>, settings = {}, options = {}) {
  const service = await startService(files, {
    MODELSHIP_NAME: "digits",
    MODELSHIP_VERSION: "1.2.0",
    ...settings,
  });
  const page = await browser.open(service.url, options);
  return { ...service, page };
}

async function send(page: Page): Promise<void> {
  await page.keyboard.press("Control+Enter");
  await page.locator("#latency").waitFor();
}

describe("a request and its answer", () => {
  test("with the keyboard alone", async () => {
    const { page } = await playground(digits);
    await page.locator("#send").waitFor();
    await page.keyboard.press("Tab");
    expect(await page.evaluate("document.activeElement.textContent")).toBe("Skip to the request");
    await page.keyboard.press("Enter");
    await tabTo(page, "textarea");
    expect(await field(page, "pixels").inputValue()).toMatch(/16, {2}0/);
    await page.keyboard.press("Control+A");
    await page.keyboard.type(`${"0 ".repeat(24)}${"16 ".repeat(8)}${"0 ".repeat(32)}`);
    await tabTo(page, "#send");
    const answered = page.waitForResponse(/v1\/predict/);
    await page.keyboard.press("Enter");
    const response = await answered;
    await page.locator(".bars").waitFor();
    expect(await text(page, ".figure")).toBe("3");
    expect(await page.locator(".bars li").count()).toBe(8);
    expect(await text(page, ".bars .best")).toMatch(/3\s*100\.0 %/);
    expect(await text(page, "#latency")).toMatch(/^\d+(\.\d)? ms$/);
    expect(await text(page, "#request-id")).toBe(response.headers()["x-request-id"]);
    expect(await text(page, "#answer-meta")).toMatch(/200[\s\S]*size \d+ B/);
    expect(await page.locator("#announcer").textContent()).toMatch(/Answer 200 .* digit: 3/);
    await tabTo(page, "#answer-tools [role=tab]");
    await page.keyboard.press("ArrowRight");
    expect(JSON.parse(await text(page, "#answer-body"))).toMatchObject({ digit: 3 });
  });

  test("the input is drawn as the image that it is, painted on and taken from a file", async () => {
    const { page } = await playground(digits);
    await page.locator("#request canvas").waitFor();
    const canvas = `document.querySelector("#request canvas")`;
    expect(await page.evaluate(`[${canvas}.width, ${canvas}.height]`)).toEqual([8, 8]);
    const ink = `(() => {
      const copy = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
      copy.drawImage(${canvas}, 0, 0);
      return [0, 1].map((x) => copy.getImageData(x, 0, 1, 1).data[3]);
    })()`;
    await expect.poll(() => page.evaluate(ink)).toEqual([255, 0]);

    const box = await page.locator("#request canvas").boundingBox();
    if (!box) throw new Error("the canvas has no place");
    await page.mouse.click(box.x + 1.5 * (box.width / 8), box.y + 2);
    await expect.poll(() => page.evaluate(ink)).toEqual([255, 255]);
    expect(await field(page, "pixels").inputValue()).toMatch(/^\s*16, 16, {2}0/);

    const black = await page.evaluate(
      `document.createElement("canvas").toDataURL("image/jpeg").split(",")[1]`,
    );
    const buffer = Buffer.from(String(black), "base64");
    await page.getByLabel("From a file").setInputFiles({ name: "black.jpg", mimeType: "image/jpeg", buffer });
    await expect.poll(() => page.evaluate(ink)).toEqual([0, 0]);
  });

  test("the form and the JSON editor are in step", async () => {
    const { page } = await playground(fields);
    await field(page, "name").fill("Ada");
    await field(page, "age").fill("36");
    await field(page, "kind").selectOption("dog");
    await field(page, "tame").check();
    await field(page, "tags optional").fill("red\nround");
    await field(page, "weights optional").fill("1, 2.5\n-3e2");
    await field(page, "street").first().fill("Lane");
    await page.getByRole("tab", { name: "JSON" }).first().click();
    const editor = page.getByLabel("Request as JSON");
    const row = {
      name: "Ada",
      age: 36,
      kind: "dog",
      tame: true,
      tags: ["red", "round"],
      weights: [1, 2.5, -300],
      address: { street: "Lane" },
    };
    expect(JSON.parse(await editor.inputValue())).toEqual(row);
    await editor.fill(
      JSON.stringify({ ...row, age: 37, notes: { a: 1 }, former: { street: "Road", number: 3 } }),
    );
    await page.getByRole("tab", { name: "Form" }).click();
    expect(await field(page, "age").inputValue()).toBe("37");
    expect(await field(page, "street").nth(1).inputValue()).toBe("Road");
    await send(page);
    await page.getByRole("tab", { name: "JSON" }).nth(1).click();
    expect(JSON.parse(await text(page, "#answer-body")).seen).toMatchObject({
      age: 37,
      notes: { a: 1 },
      former: { street: "Road", number: 3 },
    });
  });

  test("the JSON editor says what is wrong, indents with Tab and is left with Escape", async () => {
    const { page } = await playground(digits);
    await page.locator("#send").waitFor();
    await tabTo(page, "#request [role=tab]");
    await page.keyboard.press("ArrowRight");
    await tabTo(page, "#json");
    await page.keyboard.press("Control+A");
    await page.keyboard.type('{"pixels": [1,]');
    expect(await text(page, ".verdict")).toMatch(/^Not JSON yet/);
    await page.keyboard.press("Control+A");
    await page.keyboard.press("Tab");
    await page.keyboard.type("{}");
    expect(await page.locator("#json").inputValue()).toBe("  {}");
    expect(await text(page, ".verdict")).toBe("Valid JSON");
    await page.keyboard.press("Escape");
    expect(await page.evaluate("document.activeElement.id")).toBe("send");
  });

  test("many rows", async () => {
    const { page } = await playground(digits);
    await page.getByRole("button", { name: "Add a row" }).click();
    await field(page, "pixels").fill("16 ".repeat(8) + "0 ".repeat(56));
    await send(page);
    expect(await page.locator(".answer-row").count()).toBe(2);
    expect(await text(page, ".answer-row:last-of-type .figure")).toBe("0");
    await page.getByRole("button", { name: "Remove this row" }).click();
    await send(page);
    await expect.poll(() => page.locator(".answer-row").count()).toBe(0);
  });

  test("what the service refuses is marked where it is", async () => {
    const { page } = await playground(digits);
    await field(page, "pixels").fill("17 0 0");
    await send(page);
    expect(await text(page, "#answer")).toMatch(/422[\s\S]*invalid_input[\s\S]*pixels/);
    expect(await field(page, "pixels").getAttribute("aria-invalid")).toBe("true");
    const described = (await field(page, "pixels").getAttribute("aria-describedby"))?.split(" ").at(-1);
    expect(await text(page, `#${described}`)).not.toBe("");
    await page.locator(".error-box button").first().press("Enter");
    expect(await page.evaluate("document.activeElement.matches('#request textarea')")).toBe(true);
    await page.keyboard.type("0");
    expect(await field(page, "pixels").getAttribute("aria-invalid")).toBeNull();
  });

  test("the same call in three languages", async () => {
    const { page, url } = await playground(digits);
    await page.locator("#send").waitFor();
    expect(await text(page, "#call")).toContain(`curl -sS '${url}v1/predict'`);
    await page.getByRole("tab", { name: "curl" }).press("ArrowRight");
    expect(await text(page, "#call")).toMatch(/requests\.post\([\s\S]*json=\{"pixels": \[16, 0/);
    await page.getByRole("tab", { name: "Python" }).press("ArrowRight");
    expect(await text(page, "#call")).toContain(`await fetch("${url}v1/predict"`);
  });
});

test("a stream is drawn as it comes, and can be stopped", async () => {
  const { page, root } = await playground(story);
  const answer = expect.poll(() => text(page, "#answer-body"));
  await page.locator("#send").waitFor();
  await page.keyboard.press("Control+Enter");
  await answer.toMatch(/^one\.+$/);
  await page.getByRole("button", { name: "Stop" }).press("Enter");
  await expect.poll(() => text(page, "#answer-meta")).toMatch(/\d+ events, stopped/);

  await writeFile(join(root, "go"), "");
  await page.keyboard.press("Control+Enter");
  await answer.toBe("onetwo");
  await expect
    .poll(() => page.locator("#announcer").textContent())
    .toMatch(/^The stream ended after \d+ events$/);

  await field(page, "fail optional").selectOption("true");
  await page.keyboard.press("Control+Enter");
  await page.locator("#answer .error-box").waitFor();
  expect(await text(page, "#answer-body")).toMatch(/onetwo\s+model_error/);
  expect(await text(page, "#answer-body")).not.toContain("secret");
});

test("a model that chats answers piece by piece, and keeps to the thread", async () => {
  const { page } = await playground(parrot);
  await page.locator("#chat-text").fill("Hello");
  await page.keyboard.press("Enter");
  await expect.poll(() => text(page, "#chat-log li:last-child .text")).toBe("1: Hello!");
  await page.locator("#chat-text").fill("<b>again</b>");
  await page.getByRole("button", { name: "Send" }).press("Enter");
  await expect.poll(() => text(page, "#chat-log li:last-child .text")).toBe("3: <b>again</b>!");
  await page.getByRole("tab", { name: "Python" }).click();
  expect(await text(page, "#call")).toContain("client.chat.completions.create(");
});

describe("keys", () => {
  const settings = { MODELSHIP_API_KEYS: `tester=${key}`, MODELSHIP_HOST: "127.0.0.1" };

  test("a service that asks for a key gets one, which is written nowhere", async () => {
    const { page } = await playground(digits, settings);
    await expect.poll(() => page.evaluate("document.activeElement.id")).toBe("key");
    expect(await text(page, "body")).not.toContain("digits");
    expect(await page.locator("#key").getAttribute("type")).toBe("password");
    await page.keyboard.type("not-the-key");
    await page.keyboard.press("Enter");
    await expect.poll(() => text(page, "#key-why")).toBe("The service does not accept this key.");
    await page.keyboard.type(key);
    await page.keyboard.press("Enter");
    await page.locator("#send").waitFor();
    await send(page);
    expect(await text(page, "#answer-meta")).toContain("200");
    const page_text = await page.evaluate("document.documentElement.outerHTML");
    expect(page_text).not.toContain(key);
    for (const language of ["curl", "Python", "TypeScript"]) {
      await page.getByRole("tab", { name: language }).click();
      expect(await text(page, "#call")).toContain("MODELSHIP_API_KEY");
    }
    expect(await page.evaluate("JSON.stringify(localStorage) + document.cookie")).not.toContain(key);
    expect(await page.evaluate("JSON.stringify(sessionStorage)")).toContain(key);
    await page.reload();
    await page.locator("#send").waitFor();
  });

  test("the reference asks for it too", async () => {
    const { page, url } = await playground(digits, settings);
    await page.goto(`${url}docs`);
    await expect.poll(() => page.evaluate("document.activeElement.id")).toBe("key");
    await page.keyboard.type(key);
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "POST /v1/predict" }).waitFor();
    expect(await text(page, "main")).toContain("Needs an API key");
  });
});

describe("what a model says is text", () => {
  test("in the playground", async () => {
    const { page } = await playground(hostile, { MODELSHIP_NAME: attack });
    await page.locator("#send").waitFor();
    expect(await text(page, "#name")).toBe(attack);
    expect(await page.title()).toContain(attack);
    await field(page, attack).fill("1");
    await field(page, "constructor").selectOption(attack);
    await send(page);
    expect(await text(page, "#answer-body")).toContain(attack);
    expect(await text(page, ".bars .best .bar-label")).toBe(attack);
    expect(await shown(page.locator(".bars li").last())).toMatch(/__proto__\s*25\.0 %/);
    await field(page, attack).fill("10");
    await page.keyboard.press("Control+Enter");
    await page.locator("#answer .error-box").waitFor();
    expect(await text(page, "#answer")).toContain(attack);
    expect(await page.locator("main img, main script").count()).toBe(0);
  });

  test("in the reference", async () => {
    const { page, url } = await playground(hostile, { MODELSHIP_NAME: attack });
    await page.goto(`${url}docs`);
    await page.locator("article").first().waitFor();
    expect(await text(page, "main")).toContain(attack);
    expect(await page.locator("main img, main script").count()).toBe(0);
  });
});

describe("on every screen", () => {
  const paper = "getComputedStyle(document.body).backgroundColor";

  test("light and dark as the system says, until the button says otherwise", async () => {
    const { page } = await playground(digits, {}, { colorScheme: "dark" });
    await page.locator("#send").waitFor();
    const dark = await page.evaluate(paper);
    await page.emulateMedia({ colorScheme: "light" });
    const light = await page.evaluate(paper);
    expect(light).not.toBe(dark);
    await page.getByRole("button", { name: "Use dark colours" }).press("Enter");
    expect(await page.evaluate(paper)).toBe(dark);
    await page.reload();
    await page.locator("#send").waitFor();
    expect(await page.evaluate(paper)).toBe(dark);
  });

  test.each(["light", "dark"] as const)("%s: text stands out from what it is on", async (colorScheme) => {
    const { page, url } = await playground(digits, {}, { colorScheme, reducedMotion: "reduce" });
    await page.locator("#send").waitFor();
    await send(page);
    expect(await contrastOf(page)).toEqual([]);
    await field(page, "pixels").fill("x");
    await page.locator("#send").click();
    expect(await contrastOf(page)).toEqual([]);
    await page.goto(`${url}docs`);
    await page.locator("article").first().waitFor();
    expect(await contrastOf(page)).toEqual([]);
  });

  test("a phone shows all of it without scrolling sideways, with targets for a finger", async () => {
    const phone = { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true };
    const { page, url } = await playground(fields, {}, phone);
    for (const path of ["", "docs"]) {
      await page.goto(url + path);
      await page.locator("main").waitFor();
      expect(await page.evaluate("document.documentElement.scrollWidth")).toBe(390);
      const small = await page.evaluate(
        `[...document.querySelectorAll("button, .links a, select, summary")].filter((one) => one.checkVisibility() && one.offsetHeight < 44).map((one) => one.outerHTML)`,
      );
      expect(small).toEqual([]);
    }
  });

  test("nothing moves for those who want no motion", async () => {
    const { page } = await playground(digits, {}, { reducedMotion: "reduce" });
    await page.locator("#send").waitFor();
    const moving = `[...document.querySelectorAll("*")].filter((one) => getComputedStyle(one).transitionDuration !== "0s").length`;
    expect(await page.evaluate(moving)).toBe(0);
  });
});

describe("the service around the pages", () => {
  test("two API versions are a choice", async () => {
    const { page } = await playground(versions, { MODELSHIP_ENTRY: "v1=first.py:Model,v2=second.py:Model" });
    await field(page, "API").selectOption("v2");
    await field(page, "weight").fill("2");
    await field(page, "height").fill("40");
    await send(page);
    expect(await text(page, ".figure")).toBe("42");
    expect(await text(page, "#call")).toContain("/v2/predict");
  });

  test("it works behind a path prefix", async () => {
    const { url } = await startService(digits);
    const proxy = createServer((incoming, outgoing) => {
      const path = incoming.url?.replace(/^\/models\/digits/, "") ?? "";
      if (path === incoming.url) return outgoing.writeHead(204).end();
      const { method, headers } = incoming;
      const onward = httpRequest(new URL(path, url), { method, headers }, (answer) => {
        outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(outgoing);
      });
      incoming.pipe(onward);
    });
    await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
    onTestFinished(() => {
      proxy.closeAllConnections();
      proxy.close();
    });
    const base = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}/models/digits/`;
    const page = await browser.open(base);
    await page.locator("#send").waitFor();
    await send(page);
    expect(await text(page, "#answer-meta")).toContain("200");
    expect(await text(page, "#call")).toContain(`${base}v1/predict`);
    await page.getByRole("link", { name: "API reference" }).click();
    await page.locator("article").first().waitFor();
  });

  test("the reference shows operations, rules, answers and calls", async () => {
    const { page, url } = await playground(fields);
    await page.goto(`${url}docs`);
    const predict = page.locator("article", { has: page.getByRole("heading", { name: "POST /v1/predict" }) });
    await predict.waitFor();
    const said = await shown(predict);
    expect(said).toMatch(/age required, whole number, 0 to 150/);
    expect(said).toMatch(/kind required, one of "cat", "dog"/);
    expect(said).toContain(`curl -sS '${url}v1/predict'`);
    expect(said).toMatch(/422 The input breaks a rule/);
    await page.getByRole("link", { name: "Playground" }).click();
    await page.locator("#send").waitFor();
  });

  test("the pages may run their own script and nothing else, and nobody may frame them", async () => {
    const { url } = await startService(digits);
    for (const path of ["", "docs"]) {
      const response = await fetch(url + path);
      expect(response.status).toBe(200);
      expect(response.headers.get("content-type")).toBe("text/html; charset=utf-8");
      expect(response.headers.get("content-security-policy")).toMatch(
        /^default-src 'none'; style-src 'sha256-[^']+'; script-src 'sha256-[^']+'; connect-src 'self'; .*frame-ancestors 'none'$/,
      );
      expect(response.headers.get("x-content-type-options")).toBe("nosniff");
      expect(response.headers.get("referrer-policy")).toBe("no-referrer");
      expect(response.headers.get("cache-control")).toBe("no-store");
    }
  });

  test("one setting turns the playground off", async () => {
    const { url } = await startService(digits, { MODELSHIP_PLAYGROUND: "0" });
    expect((await fetch(url)).headers.get("content-type")).toBe("application/json");
    const page = await browser.open(`${url}docs`);
    await page.locator("article").first().waitFor();
    expect(await page.getByRole("link", { name: "Playground" }).count()).toBe(0);
  });
});
