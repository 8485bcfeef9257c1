// The pages in a real browser: windows of phones and desktops, light and dark.
import assert from "node:assert/strict";
import { mkdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { chromium } from "playwright-core";

export const DEADLINE = 10_000; // milliseconds, of each step

const WINDOWS = { phone: { width: 375, height: 667 }, desktop: { width: 1280, height: 800 } };
const pictures = process.env.SCREENSHOTS || path.join(tmpdir(), "roost-screenshots");

export function launch() {
  return chromium.launch({
    executablePath: process.env.CHROMIUM || "/usr/bin/chromium",
    args: ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
      "--disable-background-networking", "--disable-component-update", "--disable-sync"],
    timeout: 30_000,
  });
}

// open opens an address in a tab of a context, that is of a browser's user. What the
// browser complains about is in page.complaints.
export async function open(context, address) {
  const page = await context.newPage();
  page.setDefaultTimeout(DEADLINE);
  page.complaints = [];
  page.on("console", (message) => { if (message.type() === "error") page.complaints.push(message.text()); });
  page.on("pageerror", (error) => page.complaints.push(String(error)));
  page.on("response", (response) => { if (response.status() >= 400) page.complaints.push(`${response.status()} ${response.url()}`); });
  await page.goto(address);
  return page;
}

// sees waits for an element that contains all the texts.
export function sees(page, selector, ...texts) {
  const element = texts.reduce((found, hasText) => found.filter({ hasText }), page.locator(selector));
  return element.first().waitFor();
}

// tabTo moves the focus to an element with the Tab key alone.
export async function tabTo(page, element, key = "Tab") {
  for (let i = 0; i < 40; i++) {
    if (await element.evaluate((e) => e === document.activeElement)) return;
    await page.keyboard.press(key);
  }
  assert.fail(`${element} cannot be reached with ${key}`);
}

// fits takes pictures of the page on a phone and a desktop, light and dark, and
// checks that it fits and can be read.
export async function fits(page, name) {
  await mkdir(pictures, { recursive: true });
  for (const [device, size] of Object.entries(WINDOWS)) {
    await page.setViewportSize(size);
    for (const colorScheme of ["light", "dark"]) {
      await page.emulateMedia({ colorScheme });
      await page.screenshot({ path: path.join(pictures, `${name}-${device}-${colorScheme}.png`), animations: "disabled" });
      assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), size.width, `${name} scrolls sideways on a ${device}`);
      await page.evaluate(() => { for (const each of document.getAnimations()) if (each.effect.getComputedTiming().endTime < Infinity) each.finish(); });
      assert.deepEqual(await page.evaluate(faintTexts), [], `${name}: texts below the contrast of WCAG AA in ${colorScheme}`);
    }
  }
}

// faintTexts runs in the page: the visible texts whose contrast is below 4.5, or
// 3 if they are large.
function faintTexts() {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgba = (color) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = color;
    canvas.fillRect(0, 0, 1, 1);
    return canvas.getImageData(0, 0, 1, 1).data;
  };
  const luminance = (color) => {
    const [r, g, b] = [...rgba(color)].map((c) => c / 255).map((c) => c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const background = (e) => {
    while (e && rgba(getComputedStyle(e).backgroundColor)[3] < 255) e = e.parentElement;
    return e ? getComputedStyle(e).backgroundColor : "white";
  };
  return [...document.querySelectorAll("body *")]
    .filter((e) => e.checkVisibility() && [...e.childNodes].some((n) => n.nodeType === Node.TEXT_NODE && n.data.trim()))
    .map((e) => {
      const { color, fontSize, fontWeight } = getComputedStyle(e);
      const [dark, light] = [luminance(color), luminance(background(e))].sort((a, b) => a - b);
      const large = parseFloat(fontSize) >= (fontWeight >= 700 ? 18.66 : 24);
      return { text: e.textContent, contrast: (light + 0.05) / (dark + 0.05), enough: large ? 3 : 4.5 };
    })
    .filter(({ contrast, enough }) => contrast < enough);
}
