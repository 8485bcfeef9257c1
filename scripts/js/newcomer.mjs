// What a newcomer looks at, for scripts/newcomer, which says how long that took:
//
//   newcomer.mjs chat ADDRESS ADDRESS   two people chat, each on one address
//   newcomer.mjs hello ADDRESS          the page of GETTING-STARTED.md, in two windows
//   newcomer.mjs live ADDRESS CLIENTS   the page of operators, until it shows so many
//
// It prints what was seen.
import { launch, open, sees } from "./browser.mjs";

const [what, ...addresses] = process.argv.slice(2);
const browser = await launch();

// person opens a window of somebody's own.
async function person(name, address) {
  const context = await browser.newContext({ viewport: { width: 400, height: 640 } });
  await context.addInitScript((name) => localStorage.setItem("name", name), name);
  return open(context, address);
}

// say types a text in one window, and waits until all show it.
async function say(text, field, list, ...windows) {
  await field.fill(text);
  await field.press("Enter");
  for (const window of windows) await sees(window, list, text);
}

const looks = {
  async chat(one, other) {
    const ada = await person("Ada", one);
    const bob = await person("Bob", other);
    for (const window of [ada, bob]) await sees(window, "#more", "2 here");
    await say("Hello, Bob", ada.getByLabel("Message", { exact: true }), "#messages li", ada, bob);
    await say("Hello, Ada", bob.getByLabel("Message", { exact: true }), "#messages li", ada, bob);
    return "two windows, a message each way";
  },
  async hello(address) {
    const windows = [await person("Ada", address), await person("Bob", address)];
    await say("Hello", windows[0].locator("#text"), "#said li", ...windows);
    return "a message in two windows";
  },
  async live(address, clients) {
    const page = await person("operator", address);
    page.setDefaultTimeout(300_000); // the load is compiled first
    return (await page.waitForFunction((clients) => {
      const figures = [...document.querySelectorAll(".figure")].map((f) => [f.querySelector("span").textContent, f.querySelector("b").textContent]);
      const value = (name) => Number(figures.find(([label]) => label === name)?.[1].replaceAll(/[^\d.]/g, ""));
      return value("Clients") >= clients && value("Deliveries") > 0 && figures.map((f) => f.join(" ")).join(", ");
    }, Number(clients))).jsonValue();
  },
};

try {
  console.log(await looks[what](...addresses));
} finally {
  await browser.close();
}
