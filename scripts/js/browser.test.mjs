// The demo pages in a real browser, each with the people it is for.
// SCREENSHOTS names the folder for the pictures; the default is a temporary one.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import path from "node:path";
import { after, before, describe, test } from "node:test";
import { DEADLINE, fits, launch, open, sees, tabTo } from "./browser.mjs";
import { Socket } from "phoenix-newest";
import WebSocket from "ws";
import { Server, until, within } from "./server.mjs";

const require = createRequire(import.meta.url);

describe("demo pages", { timeout: 240_000 }, () => {
  let server, browser;
  before(async () => {
    server = await Server.onFreePort();
    browser = await launch();
  });
  after(async () => {
    await browser?.close();
    await server?.stop();
  });
  const address = (page) => `http://${server.host}/${page}`;

  test("the pages use the client that the other tests use", async () => {
    const served = await fetch(address("phoenix.mjs"), { signal: AbortSignal.timeout(DEADLINE) });
    const published = await readFile(path.join(path.dirname(require.resolve("phoenix-newest")), "phoenix.mjs"), "utf8");
    assert.ok(await served.text() === published, "phoenix.mjs must be the one in npm");
  });

  describe("chat", () => {
    let server, ada, bob; // a server to kill
    before(async () => {
      server = await Server.onFreePort();
      [ada, bob] = [await person("Ada"), await person("Bob")];
    });
    after(async () => {
      for (const page of [ada, bob]) await page?.context().close();
      await server?.stop();
    });
    const address = () => `http://${server.host}/`;

    async function person(name) {
      const page = await open(await browser.newContext(), address());
      await page.getByLabel("Your name").fill(name);
      await sees(page, "#state", "connected");
      return page;
    }

    async function say(page, text) {
      await page.getByLabel("Message", { exact: true }).fill(text);
      await page.keyboard.press("Enter");
    }

    test("two people talk", async () => {
      await say(ada, "Hello, Bob!");
      await sees(bob, "#messages li", "Ada", "Hello, Bob!");
      await sees(ada, "#messages li.own", "Ada (you)", "Hello, Bob!");
      await say(bob, "Grüß dich, Ada!");
      await sees(ada, "#messages li:not(.own)", "Bob", "Grüß dich, Ada!");
      assert.match(await ada.locator("time").first().textContent(), /\d\d:\d\d/);
    });

    test("both see who is here", async () => {
      for (const page of [ada, bob]) {
        for (const name of ["Ada", "Bob"]) await sees(page, "#people li", name);
        assert.equal(await page.locator("#people li").count(), 2);
      }
      const tab = await open(bob.context(), address()); // of the same user
      await sees(ada, "#people li", "Bob (2 windows)");
      await tab.close();
      await until("one window", async () => !(await ada.locator("#people").textContent()).includes("windows"));
    });

    test("what people write is text, never HTML", async () => {
      const markup = `<img src="nothing" onerror="alert(1)"> &amp; <b>bold</b>`;
      await say(ada, markup);
      await sees(bob, "#messages li p", markup);
      assert.equal(await bob.locator("#messages img").count(), 0);
    });

    test("the keyboard is enough", async () => {
      const carol = await open(await browser.newContext(), address());
      await carol.keyboard.type("With the focus on the message from the start"); // autofocus
      await carol.keyboard.press("Enter");
      await sees(ada, "#messages li", "With the focus on the message");

      await tabTo(carol, carol.getByLabel("Your name"), "Shift+Tab");
      await carol.keyboard.press("ControlOrMeta+A");
      await carol.keyboard.type("Carol");
      await tabTo(carol, carol.getByRole("link", { name: "garden" }));
      await carol.keyboard.press("Enter"); // and back to the message
      await sees(carol, "#rooms [aria-current]", "garden");
      await carol.keyboard.type("Is anybody out here?");
      await carol.keyboard.press("Enter");
      await sees(carol, "#messages li.own", "Carol", "Is anybody out here?");

      await tabTo(carol, carol.getByLabel("Another room"), "Shift+Tab");
      await carol.keyboard.type("attic");
      await carol.keyboard.press("Enter");
      await sees(carol, "#rooms [aria-current]", "attic");
      await tabTo(carol, carol.getByRole("log"), "Shift+Tab");
      await tabTo(carol, carol.getByLabel("Message", { exact: true }));

      await carol.reload();
      assert.equal(await carol.getByLabel("Your name").inputValue(), "Carol");
      await sees(carol, "#rooms [aria-current]", "attic");
      await carol.context().close();
    });

    test("another room is another conversation", async () => {
      await ada.getByRole("link", { name: "garden" }).click();
      await ada.waitForURL("**/?room=garden");
      await sees(ada, "#messages li:not(.own)", "Carol", "Is anybody out here?"); // said before
      assert.equal(await ada.locator("#messages li").count(), 1);
      await say(bob, "Only the lobby hears this.");
      await sees(bob, "#messages li.own", "Only the lobby hears this.");
      await say(ada, "Only the garden hears this.");
      await sees(ada, "#messages li.own", "Only the garden hears this.");
      assert.equal(await bob.getByText("Only the garden").count(), 0);
      assert.equal(await ada.getByText("Only the lobby").count(), 0);

      await ada.goBack();
      await sees(ada, "#rooms [aria-current]", "lobby");
    });

    test("the session remembers what was said", async () => {
      await sees(ada, "#messages li.own", "Hello, Bob!"); // after another room
      const before = await bob.locator("#messages li").allTextContents();
      await bob.reload();
      await sees(bob, "#state", "connected");
      assert.deepEqual(await bob.locator("#messages li").allTextContents(), before);
    });

    test("who comes later sees what was said, and who was away what he has missed", async () => {
      const carol = await person("Carol");
      await sees(carol, "#messages li:not(.own)", "Ada", "Hello, Bob!");
      await sees(carol, "#messages li:not(.own)", "Bob", "Grüß dich, Ada!");
      await carol.getByRole("link", { name: "garden" }).click();
      await sees(carol, "#messages li", "Only the garden hears this.");
      await say(ada, "You have missed this, Carol.");
      await carol.goBack();
      await sees(carol, "#messages li", "You have missed this, Carol.");
      const texts = await carol.locator("#messages li > p").allTextContents();
      assert.equal(texts[0], "Hello, Bob!");
      assert.equal(texts.at(-1), "You have missed this, Carol.");
      assert.equal(new Set(texts).size, texts.length, "nothing twice");
      await carol.context().close();
    });

    test("the others see who is typing", async () => {
      await ada.getByLabel("Message", { exact: true }).pressSequentially("I am");
      await sees(bob, "#typing", "Ada is typing");
      assert.equal(await ada.locator("#typing").textContent(), "");
      await say(ada, "I am typing");
      await until("end of typing", async () => await bob.locator("#typing").textContent() === "");
    });

    test("what one says in a row has one name above it", async () => {
      await say(ada, "First of two.");
      await say(ada, "Second of two.");
      const second = bob.locator("#messages li").filter({ hasText: "Second of two." });
      await second.waitFor();
      assert.ok((await second.locator("b").boundingBox()).width <= 1, "the name is for the ear alone");
      await sees(bob, "#messages li", "Ada", "Second of two.");
    });

    test("addresses are links", async () => {
      await say(ada, "Look at https://example.org/a?b=c, or (http://example.net/). javascript:alert(1)");
      const links = bob.locator("#messages li a");
      await links.first().waitFor();
      assert.deepEqual(await links.evaluateAll((all) => all.map((a) => a.href)), ["https://example.org/a?b=c", "http://example.net/"]);
      for (const rel of await links.evaluateAll((all) => all.map((a) => a.rel))) assert.match(rel, /noopener/);
    });

    test("scrolling up counts what comes meanwhile", async () => {
      for (let i = 1; i <= 20; i++) await say(ada, `Message ${i}`);
      await sees(bob, "#messages li", "Message 20");
      await bob.getByText("Message 20", { exact: true }).waitFor();
      assert.ok(await bob.locator("#newer").isHidden(), "the newest is in view");
      await bob.getByRole("log").evaluate((log) => new Promise((scrolled) => {
        log.addEventListener("scroll", () => scrolled(), { once: true });
        log.scrollTop = 0;
      }));
      await say(ada, "One");
      await say(ada, "Two");
      await bob.getByRole("button", { name: "2 new messages" }).click();
      await until("end of the log", () => bob.getByRole("log").evaluate((log) => log.scrollHeight - log.scrollTop - log.clientHeight < 2));
      await bob.locator("#newer").waitFor({ state: "hidden" });
    });

    test("fits", async () => {
      for (const colour of ["light", "dark"]) await say(bob, `A somewhat longer message, so that lines have to break on the phone: ${colour}.`);
      await sees(ada, "#messages li", "dark");
      await fits(ada, "chat");
      await ada.setViewportSize({ width: 375, height: 667 });
      const { y } = await ada.getByRole("log").boundingBox();
      assert.ok(y < 0.2 * 667, `the messages of a phone begin at ${y} of 667`);
      await ada.getByRole("button", { name: "Settings" }).click();
      await ada.getByLabel("Your name").waitFor();
      await fits(ada, "chat-settings");
      await ada.setViewportSize({ width: 375, height: 667 });
      await ada.getByLabel("Your name").press("Enter"); // done
      await ada.getByLabel("Your name").waitFor({ state: "hidden" });
      await ada.setViewportSize({ width: 1280, height: 800 });
    });

    test("a refused message says so and can be sent again", async () => {
      const dora = await (await browser.newContext()).newPage();
      dora.setDefaultTimeout(DEADLINE);
      let refuse = true;
      await dora.routeWebSocket(/\/socket\//, (page) => {
        const upstream = page.connectToServer();
        page.onMessage((text) => {
          const [joinRef, ref, topic, event] = JSON.parse(text);
          if (event !== "new_msg" || !refuse) return upstream.send(text);
          page.send(JSON.stringify([joinRef, ref, topic, "phx_reply", { status: "error", response: { reason: "overloaded" } }]));
        });
      });
      await dora.goto(address());
      await sees(dora, "#state", "connected");
      await say(dora, "Once more");
      await sees(dora, "#outbox li", "Once more", "Not sent: overloaded");
      await fits(dora, "chat-refused");
      refuse = false;
      await dora.getByRole("button", { name: "Try again" }).click();
      await sees(dora, "#messages li.own", "Once more");
      await dora.locator("#outbox li").waitFor({ state: "detached" });
      await dora.context().close();
    });

    test("a message whose arrival is unknown is sent again, and seen once", async () => {
      const emil = await (await browser.newContext()).newPage();
      emil.setDefaultTimeout(DEADLINE);
      const sent = [];
      await emil.routeWebSocket(/\/socket\//, (page) => {
        const upstream = page.connectToServer();
        let cut = false;
        page.onMessage((text) => {
          upstream.send(text);
          if (JSON.parse(text)[3] !== "new_msg") return;
          sent.push(text);
          cut = sent.length === 1; // nothing comes back of the first
          if (cut) page.close({ code: 1011 });
        });
        upstream.onMessage((text) => { if (!cut) page.send(text); });
      });
      await emil.goto(address());
      await sees(emil, "#state", "connected");
      await say(emil, "Can you hear me?");
      await sees(emil, "#messages li.own", "Can you hear me?");
      await emil.locator("#outbox li").waitFor({ state: "detached" });
      assert.equal(sent.length, 2, "sent twice");
      await say(emil, "You can.");
      await sees(ada, "#messages li", "You can.");
      assert.equal(await ada.getByText("Can you hear me?").count(), 1);
      await emil.context().close();
    });

    test("the browser had nothing to complain about", () => {
      assert.deepEqual([...ada.complaints, ...bob.complaints], []);
    });

    // After the complaints: a lost connection is one.
    test("a network that is gone without a word is noticed, and what is written meanwhile waits", async () => {
      await bob.context().setOffline(true); // closes no connection
      await sees(bob, "#state", "offline");
      await say(bob, "Written into the void.");
      await sees(bob, "#outbox li", "Written into the void.", "Waits for the connection");
      await sees(bob, "#note", "1 message will be sent when the connection is back.");
      await fits(bob, "chat-offline");
      await bob.context().setOffline(false);
      await sees(bob, "#state", "connected");
      await sees(ada, "#messages li", "Bob", "Written into the void.");
      await bob.locator("#outbox li").waitFor({ state: "detached" });
      assert.equal(await bob.getByText("Written into the void.").count(), 1);
    });

    test("a lost connection is shown, and what is written meanwhile is sent once", async () => {
      await server.kill();
      await sees(bob, "#state", "reconnecting");
      await sees(bob, "#detail", "in ");
      await say(bob, "Written without a connection.");
      await sees(bob, "#note", "1 message will be sent when the connection is back.");
      await sees(bob, "#outbox li", "Written without a connection.");
      await fits(bob, "chat-reconnecting");
      await bob.context().setOffline(true);
      await sees(bob, "#state", "offline");

      await server.start();
      await bob.context().setOffline(false); // tries again at once
      await sees(bob, "#state", "connected");
      await sees(ada, "#state", "connected");
      await sees(bob, "#messages li.own", "Written without a connection.");
      await say(bob, "Back again.");
      await sees(ada, "#messages li", "Bob", "Back again.");
      assert.equal(await bob.getByText("Written without a connection.").count(), 1);
      assert.ok(await ada.getByText("Written without a connection.").count() <= 1, "sent twice");
      assert.equal(await bob.locator("#note").textContent(), "");
    });
  });

  describe("scores", () => {
    test("the server pushes the same to all", async () => {
      const context = await browser.newContext();
      const [one, two] = [await open(context, address("scores/")), await open(context, address("scores/"))];
      for (const page of [one, two]) {
        await page.getByRole("article", { name: "Robins against Owls" }).waitFor();
        assert.equal(await page.getByRole("article").count(), 3);
      }
      const minute = (page) => page.locator("progress").first().evaluate((progress) => progress.value);
      const before = await minute(one);
      await until("next minute", async () => await minute(one) > before);
      await until("same minute", async () => await minute(one) === await minute(two));
      // Whole contents, in the same second.
      await until("same matches", async () => await one.locator("#matches").textContent() === await two.locator("#matches").textContent(), 15_000);
      assert.deepEqual([...one.complaints, ...two.complaints], []);
      await fits(one, "scores");
      await context.close();
    });
  });

  describe("cursors", () => {
    let ada, bob;
    before(async () => {
      [ada, bob] = await Promise.all(["Ada", "Bob"].map(async (name) => {
        const context = await browser.newContext();
        await context.addInitScript((name) => localStorage.setItem("name", name), name);
        return open(context, address("cursors/"));
      }));
    });
    after(async () => { for (const page of [ada, bob]) await page.context().close(); });

    // at is where a pointer is on the board, in thousandths of it.
    const at = (page, name) => page.locator(".pointer").filter({ hasText: name })
      .evaluate((e) => [e.style.left, e.style.top].map((percent) => Math.round(parseFloat(percent) * 10)));

    test("both see both", async () => {
      for (const page of [ada, bob]) await until("two people", async () => await page.locator("#people li").count() === 2);
      await sees(ada, "#people li", "Ada (you)");
      await sees(ada, "#people li", "Bob");
    });

    test("a mouse moves a cursor for the other", async () => {
      const { x, y, width, height } = await ada.locator("#board").boundingBox();
      await ada.mouse.move(x + width * 0.25, y + height * 0.75, { steps: 10 });
      await until("Ada at 250, 750", async () => close(await at(bob, "Ada"), [250, 750]));
      assert.ok(close(await at(ada, "you"), [250, 750]));
      assert.ok(close(await at(bob, "you"), [500, 500]), "Bob has not moved");
    });

    test("arrow keys move a cursor for the other", async () => {
      await tabTo(bob, bob.getByRole("application"));
      for (const key of ["ArrowLeft", "ArrowLeft", "ArrowUp", "Shift+ArrowUp"]) await bob.keyboard.press(key);
      await until("Bob at 440, 465", async () => close(await at(ada, "Bob"), [440, 465]));
    });

    test("fits", () => fits(ada, "cursors"));

    test("moves are binary, small and few", async () => {
      const carol = await (await browser.newContext()).newPage();
      const moves = [];
      carol.on("websocket", (socket) => socket.on("framesent", ({ payload }) => { if (typeof payload !== "string") moves.push(payload); }));
      await carol.goto(address("cursors/"));
      await sees(carol, "#people li", "(you)");
      const { x, y } = await carol.locator("#board").boundingBox();
      const began = performance.now();
      for (let i = 0; i < 200; i++) await carol.mouse.move(x + i, y + 10);
      await until("last move", () => moves.length > 0);
      const most = 1 + Math.ceil((performance.now() - began) / 33);
      assert.ok(moves.length <= most, `${moves.length} moves sent, want at most ${most}`);
      for (const move of moves) assert.ok(move.length <= 32, `a move of ${move.length} bytes`);
      await carol.context().close();
    });

    test("who leaves vanishes", async () => {
      await until("end of Carol", async () => await ada.locator(".pointer").count() === 2);
      await bob.close();
      await until("end of Bob", async () => await ada.locator(".pointer").count() === 1);
      await sees(ada, "#people li", "Ada (you)");
      assert.equal(await ada.locator("#people li").count(), 1);
      assert.deepEqual(ada.complaints, []);
    });
  });

  describe("tabs", () => {
    let laptop, phone, one, two, three;
    before(async () => {
      [laptop, phone] = [await browser.newContext(), await browser.newContext()];
      one = await open(laptop, address("tabs/"));
    });
    after(async () => { for (const context of [laptop, phone]) await context?.close(); });

    async function signIn(page) {
      await tabTo(page, page.getByLabel("User"));
      await page.keyboard.press("ControlOrMeta+A");
      await page.keyboard.type("ann");
      await page.keyboard.press("Enter");
      await sees(page, "h2", "ann’s shopping list");
    }

    test("signing in", async () => {
      await fits(one, "tabs-sign-in");
      await signIn(one);
      two = await open(laptop, address("tabs/")); // the browser remembers the user
      await sees(two, "h2", "ann’s shopping list");
      three = await open(phone, address("tabs/"));
      await signIn(three);
    });

    test("a change is in all tabs, with the keyboard alone", async () => {
      await tabTo(one, one.getByLabel("New item"));
      for (const text of ["Milk", "Bread", `<b>Tea</b>`]) {
        await one.keyboard.type(text);
        await one.keyboard.press("Enter");
        await until("empty field", async () => await one.getByLabel("New item").inputValue() === "");
      }
      for (const page of [one, two, three]) await sees(page, "#items li", `<b>Tea</b>`);

      await tabTo(three, three.getByLabel("Bread", { exact: true }));
      await three.keyboard.press("Space");
      for (const page of [one, two, three]) await until("Bread ticked off", () => page.getByLabel("Bread", { exact: true }).isChecked());
      assert.equal(await two.getByLabel("Milk", { exact: true }).isChecked(), false);
      await fits(two, "tabs");

      await tabTo(three, three.getByRole("button", { name: "Remove Milk" }));
      await three.keyboard.press("Enter");
      for (const page of [one, two, three]) await page.getByText("Milk").waitFor({ state: "detached" });
      assert.ok(await three.getByLabel("New item").evaluate((e) => e === document.activeElement), "the focus is not lost");
    });

    test("an offline tab refuses changes", async () => {
      const lost = await phone.newPage();
      let cut = () => {};
      await lost.routeWebSocket(/\/user\//, (page) => {
        const upstream = page.connectToServer();
        cut = () => { upstream.close(); page.close({ code: 1011 }); };
      });
      await lost.goto(address("tabs/"));
      await sees(lost, "h2", "ann’s shopping list");
      await lost.unrouteAll();
      cut();
      await lost.getByLabel("Bread", { exact: true }).click();
      await sees(lost, "#problem", "Not changed: there is no connection");
      assert.ok(await lost.getByLabel("Bread", { exact: true }).isChecked(), "it jumps back");
      await lost.close();
    });

    test("signing out is for all tabs, and they stay out", async () => {
      await tabTo(two, two.getByRole("button", { name: "Sign out everywhere" }));
      await two.keyboard.press("Enter");
      for (const page of [one, two, three]) {
        await sees(page, "#problem", "You are signed out, everywhere.");
        await sees(page, "#state", "not connected");
        assert.ok(await page.locator("#signed-in").isHidden());
      }
      const later = await open(laptop, address("tabs/"));
      assert.ok(await later.getByLabel("User").isVisible(), "the browser has forgotten the user");

      await signIn(one);
      await sees(one, "#items li", "Bread"); // the list is the user's, not the session's
      assert.ok(await two.locator("#signed-in").isHidden());
      assert.deepEqual([...one.complaints, ...two.complaints, ...three.complaints], []);
    });
  });

  test("operators watch a server fill, and drain", async () => {
    const watched = await Server.onFreePort("ROOST_SERVER", "-admin", "127.0.0.1:0");
    const context = await browser.newContext();
    try {
      const page = await open(context, watched.operators);
      await sees(page, "#state", "connected");
      await sees(page, "#topics", "none");
      const clients = [];
      for (let i = 0; i < 20; i++) {
        const socket = new Socket(`ws://${watched.host}/socket`, { transport: WebSocket, reconnectAfterMs: () => 60_000 });
        socket.connect();
        await within("the join", new Promise((resolve) => socket.channel("room:lobby").join().receive("ok", resolve)));
        clients.push(socket);
      }
      await sees(page, ".figure", "Clients", "20");
      await sees(page, "#topics tr", "room:lobby", "20");
      await sees(page, "#budgets li", "connections", "20 of");
      assert.deepEqual(page.complaints, []);
      await fits(page, "operators");
      watched.terminate();
      await sees(page, "#notice", "Draining", "of 20 clients");
      for (const socket of clients) socket.disconnect();
    } finally {
      await context.close();
      await watched.stop();
    }
  });
});

// close compares places in thousandths of the board.
function close(a, b) {
  return a.every((value, i) => Math.abs(value - b[i]) <= 5);
}
