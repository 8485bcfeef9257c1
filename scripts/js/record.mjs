// Records two people who chat, as numbered pictures in a folder: record.mjs FOLDER
// light|dark. scripts/picture makes one moving picture of them.
import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { launch, open, sees } from "./browser.mjs";
import { Server } from "./server.mjs";

const [folder, colorScheme] = process.argv.slice(2);
const WINDOW = { width: 400, height: 470 };
const FRAME = 200; // milliseconds that a picture is shown

await mkdir(folder, { recursive: true });
const server = await Server.onFreePort();
const browser = await launch();
const address = `http://${server.host}/?room=garden`;
const people = {};
for (const name of ["Ada", "Bob"]) {
  const context = await browser.newContext({ viewport: WINDOW, colorScheme, deviceScaleFactor: 1 });
  await context.addInitScript((name) => localStorage.setItem("name", name), name);
  people[name] = await open(context, address);
}
for (const page of Object.values(people)) await sees(page, "#more", "2 here");
const stage = await (await browser.newContext({ viewport: { width: 2 * WINDOW.width + 48, height: WINDOW.height + 32 } })).newPage();

let taken = 0;

// take shows what is seen now for a number of frames.
async function take(frames = 1) {
  const windows = await Promise.all(Object.values(people).map((page) => page.screenshot({ caret: "initial" })));
  const style = "border-radius:12px;box-shadow:0 2px 12px #0006;display:block";
  const images = windows.map((png) => `<img style="${style}" src="data:image/png;base64,${png.toString("base64")}">`);
  const ground = colorScheme === "dark" ? "#0d1117" : "#ffffff"; // GitHub's
  await stage.setContent(`<body style="margin:16px;display:flex;gap:16px;background:${ground}">${images.join("")}`);
  const picture = await stage.screenshot();
  for (let i = 0; i < frames; i++) await writeFile(path.join(folder, `${String(taken++).padStart(3, "0")}.png`), picture);
}

// say types a message, some letters a frame, and sends it.
async function say(name, text) {
  const field = people[name].getByLabel("Message", { exact: true });
  for (let i = 0; i < text.length; i += 4) {
    await field.pressSequentially(text.slice(i, i + 4));
    await pause(FRAME / 4);
    await take();
  }
  await field.press("Enter");
  for (const page of Object.values(people)) await sees(page, "#messages li", text);
  await take(6);
}

await take(3);
await say("Ada", "Morning, Bob! Is the server up?");
await say("Bob", "Yes. How many are here?");
await say("Ada", "A million, in one room.");
await say("Bob", "On one host?");
await take(8);

await browser.close();
await server.stop();
