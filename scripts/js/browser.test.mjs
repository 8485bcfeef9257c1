// The demo page in a real browser, without a mouse.
// SCREENSHOTS names the folder for the pictures; the default is a temporary one.
import assert from "node:assert/strict";
import { mkdir, readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, describe, test } from "node:test";
import { chromium } from "playwright-core";
import { Server } from "./server.mjs";

const require = createRequire(import.meta.url);
const pictures = process.env.SCREENSHOTS || path.join(tmpdir(), "roost-screenshots");
const DEADLINE = 10_000; // milliseconds, of each step

describe("demo page", { timeout: 120_000 }, () => {
  let server, browser, ada, bob;

  before(async () => {
    server = await Server.onFreePort();
    browser = await chromium.launch({
      executablePath: process.env.CHROMIUM || "/usr/bin/chromium",
      args: ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
        "--disable-background-networking", "--disable-component-update", "--disable-sync"],
      timeout: 30_000,
    });
    ada = await open("Ada", "light");
    bob = await open("Bob", "dark");
  });
  after(async () => {
    await browser?.close();
    await server?.stop();
  });

  async function open(name, colorScheme) {
    const page = await browser.newPage({ colorScheme });
    page.setDefaultTimeout(DEADLINE);
    page.complaints = [];
    page.on("console", (message) => { if (message.type() === "error") page.complaints.push(message.text()); });
    page.on("pageerror", (error) => page.complaints.push(String(error)));
    page.on("response", (response) => { if (!response.ok()) page.complaints.push(`${response.status()} ${response.url()}`); });
    await page.goto(`http://${server.host}/`);
    await page.getByLabel("Name").fill(name);
    await sees(page, "#state", "open");
    return page;
  }

  test("the page uses the client that the other tests use", async () => {
    const served = await fetch(`http://${server.host}/phoenix.mjs`, { signal: AbortSignal.timeout(DEADLINE) });
    const published = await readFile(path.join(path.dirname(require.resolve("phoenix-newest")), "phoenix.mjs"), "utf8");
    assert.ok(await served.text() === published, "phoenix.mjs must be the one in npm");
  });

  test("two people talk", async () => {
    await say(ada, "Hello, Bob!");
    await sees(bob, "li", "Ada", "Hello, Bob!");
    await sees(ada, "li.own", "Ada", "Hello, Bob!");

    await say(bob, "Grüß dich, Ada!");
    await sees(ada, "li", "Bob", "Grüß dich, Ada!");
    await sees(bob, "li.own", "Bob", "Grüß dich, Ada!");
  });

  test("what people write is text, never HTML", async () => {
    const markup = `<img src="nothing" onerror="alert(1)"> &amp; <b>bold</b>`;
    await say(ada, markup);
    await sees(bob, "li p", markup);
    assert.equal(await bob.locator("li img").count(), 0);
  });

  for (const width of [1280, 375]) {
    test(`the page fits ${width} pixels`, async () => {
      await mkdir(pictures, { recursive: true });
      for (const [name, page] of Object.entries({ ada, bob })) {
        await page.setViewportSize({ width, height: 720 });
        assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), width, "no sideways scrolling");
        await page.screenshot({ path: path.join(pictures, `${name}-${width}.png`) });
      }
    });
  }

  test("another room is another conversation", async () => {
    await ada.getByLabel("Room").focus();
    await ada.keyboard.press("ControlOrMeta+A");
    await ada.keyboard.type("garden");
    await ada.keyboard.press("Enter");
    await ada.waitForURL("**/?room=garden");
    await sees(ada, "#state", "open");
    assert.equal(await ada.locator("li").count(), 0);

    await say(bob, "Only the lobby hears this.");
    await sees(bob, "li.own", "Only the lobby hears this.");
    await say(ada, "Only the garden hears this.");
    await sees(ada, "li.own", "Only the garden hears this.");
    assert.equal(await ada.locator("li").count(), 1);
    assert.equal(await bob.getByText("Only the garden").count(), 0);

    await ada.goBack();
    await sees(ada, "#state", "open");
    assert.equal(await ada.getByLabel("Room").inputValue(), "lobby");
  });

  test("the browser had nothing to complain about", () => {
    assert.deepEqual([...ada.complaints, ...bob.complaints], []);
  });

  // After the complaints: a lost connection is one.
  test("the page tells of a lost connection and comes back", async () => {
    await server.kill();
    await sees(bob, "#state", "reconnecting");
    await server.start();
    await sees(bob, "#state", "open");
    await sees(ada, "#state", "open");
    await say(bob, "Back again.");
    await sees(ada, "li", "Bob", "Back again.");
  });
});

// say types into whatever has the focus after one Tab from the messages.
async function say(page, text) {
  await page.getByRole("log").focus();
  await page.keyboard.press("Tab");
  await page.keyboard.insertText(text);
  await page.keyboard.press("Enter");
}

// sees waits for an element that contains all the texts.
function sees(page, selector, ...texts) {
  const element = texts.reduce((found, hasText) => found.filter({ hasText }), page.locator(selector));
  return element.first().waitFor();
}
