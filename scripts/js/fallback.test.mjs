// The official Phoenix client over long polling: by choice, and because a proxy
// lets no WebSocket through.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { after, afterEach, before, describe, test } from "node:test";
import WebSocket from "ws";
import { launch, open } from "./browser.mjs";
import { FetchingXHR, Proxy, Storage } from "./fallback.mjs";
import { Server, until, within } from "./server.mjs";

const require = createRequire(import.meta.url);
globalThis.self ??= globalThis; // where clients up to 1.7 look for XMLHttpRequest
const REMEMBERED = "phx:fallback:LongPoll";

for (const version of ["1.7.21", "1.8.5", "newest"]) {
  describe(`phoenix ${version} over long polling`, { timeout: 120_000 }, () => {
    const { Socket, LongPoll } = require(`phoenix-${version}`);
    let server, proxy;
    let sockets = [];

    before(async () => {
      if (version === "1.7.21") globalThis.XMLHttpRequest = FetchingXHR; // it knows nothing else
      server = await Server.onFreePort();
      proxy = await Proxy.before(server);
    });
    afterEach(() => {
      for (const socket of sockets) socket.disconnect();
      sockets = [];
    });
    after(async () => {
      await proxy?.close();
      await server?.stop();
      delete globalThis.XMLHttpRequest;
    });

    function connect(host, options) {
      const socket = new Socket(`http://${host}/socket`, {
        timeout: 5_000,
        longpollerTimeout: 8_000, // no poll waits that long here; 1.8.5 leaves the timers running
        reconnectAfterMs: () => 50,
        rejoinAfterMs: () => 50,
        ...options,
      });
      sockets.push(socket);
      socket.connect();
      return socket;
    }
    const poll = (options) => connect(server.host, { transport: LongPoll, ...options });

    test("join, push, reply, broadcast, leave", async () => {
      const one = await joined(poll(), "room:lobby");
      const two = await joined(poll(), "room:lobby");
      const other = await joined(connect(server.host, { transport: WebSocket }), "room:lobby");
      const payload = { text: "Grüße 🐦 <&>", list: [1, null, { deep: true }] };
      assert.deepEqual(await reply(one.push("ping", payload)), { status: "ok", response: payload });
      const message = { user: "ada", body: "hello" };
      const received = [one, two, other].map((channel) => next(channel, "new_msg"));
      one.push("new_msg", message);
      for (const { user, body } of await Promise.all(received)) assert.deepEqual({ user, body }, message);
      await reply(two.leave());
      assert.equal(two.state, "closed");
    });

    test("many pushes in one tick are answered in order", async () => {
      const lobby = await joined(poll(), "room:lobby");
      const order = [];
      // Clients up to 1.8.5 send all of them in one request, of which the server takes 100.
      const pushes = Array.from({ length: version === "newest" ? 150 : 90 }, (_, n) => {
        const push = lobby.push("ping", { n });
        push.receive("ok", ({ n }) => order.push(n));
        return push;
      });
      await Promise.all(pushes.map(reply));
      assert.deepEqual(order, pushes.map((_, n) => n));
    });

    test("binary pushes arrive", async () => {
      const socket = connect(server.host, { transport: WebSocket });
      const received = next(await joined(socket, "room:lobby"), "new_msg");
      const lobby = await joined(poll(), "room:lobby");
      lobby.push("new_msg", new Uint8Array([0, 255, 7]).buffer);
      assert.deepEqual(new Uint8Array(await received), new Uint8Array([0, 255, 7]));
      // Long polling brings no binary messages to the client, but all others still.
      assert.deepEqual(await reply(lobby.push("ping", {})), { status: "ok", response: {} });
    });

    test("a parameter of the application's may be called token", async () => {
      const lobby = await joined(poll({ params: { token: "abc" } }), "room:lobby");
      assert.deepEqual(await reply(lobby.push("ping", {})), { status: "ok", response: {} });
    });

    test("an auth token hurts nobody who does not want it", async () => {
      await joined(poll({ authToken: "s3cr+t/=" }), "room:lobby");
    });

    test("a refused client keeps trying", async () => {
      const socket = poll({ vsn: "3.0.0" });
      let errors = 0;
      socket.onError(() => { errors++; });
      await until("two errors", () => errors >= 2);
    });

    test("clients come back by themselves after a restart", async () => {
      const lobby = await joined(poll(), "room:lobby");
      await server.kill();
      await until("loss of the channel", () => lobby.state !== "joined");
      await server.start();
      await until("rejoin", () => lobby.state === "joined", 15_000);
      const payload = { back: true };
      assert.deepEqual(await reply(lobby.push("ping", payload)), { status: "ok", response: payload });
    });

    for (const manner of ["refuses", "ignores"]) {
      test(`a proxy that ${manner} WebSockets: fallback, which is remembered`, async () => {
        proxy.upgrades = manner;
        const sessionStorage = new Storage();
        const fallback = () => connect(proxy.host, { transport: WebSocket, longPollFallbackMs: 500, sessionStorage });
        const lobby = await joined(fallback(), "room:lobby");
        assert.equal(lobby.socket.transport, LongPoll);
        assert.equal(sessionStorage.getItem(REMEMBERED), "true");
        assert.ok(proxy.seen > 0, "a WebSocket must have been tried");
        const message = { user: "ada", body: "round" };
        const received = next(lobby, "new_msg");
        lobby.push("new_msg", message);
        assert.equal((await received).body, "round");

        proxy.seen = 0;
        await joined(fallback(), "room:lobby");
        assert.equal(proxy.seen, 0, "WebSockets that are known not to work must not be tried");
      });
    }

    test("no fallback where WebSockets work", async () => {
      proxy.upgrades = "passes";
      const sessionStorage = new Storage();
      const lobby = await joined(connect(proxy.host, { transport: WebSocket, longPollFallbackMs: 2_000, sessionStorage }), "room:lobby");
      assert.deepEqual(await reply(lobby.push("ping", {})), { status: "ok", response: {} });
      assert.equal(lobby.socket.transport, WebSocket);
      assert.equal(sessionStorage.getItem(REMEMBERED), null);
    });
  });
}

// A proxy that sends each request to the next node of a cluster, over a connection of
// its own, makes no difference: sessions are found, and nothing is lost, doubled or
// out of order.
for (const version of ["1.7.21", "newest"]) {
  test(`phoenix ${version} over long polling, nodes by turns`, { timeout: 60_000 }, async (t) => {
    const { Socket, LongPoll } = require(`phoenix-${version}`);
    if (version === "1.7.21") globalThis.XMLHttpRequest = FetchingXHR;
    const server = await Server.onFreePort("ROOST_CONFORMANCE", "-nodes", "2");
    await until("two nodes", () => server.hosts.length === 2);
    const { hosts } = server;
    let turn = 0;
    const proxy = await Proxy.before({ get host() { return hosts[turn++ % hosts.length]; } });
    const sockets = [];
    t.after(async () => {
      for (const socket of sockets) socket.disconnect();
      await proxy.close();
      await server.stop();
      delete globalThis.XMLHttpRequest;
    });
    const connect = (host, transport) => {
      const socket = new Socket(`http://${host}/socket`, { transport, timeout: 10_000, longpollerTimeout: 8_000 });
      socket.onError(() => assert.fail("the session is lost"));
      sockets.push(socket);
      socket.connect();
      return socket;
    };
    const polling = await joined(connect(proxy.host, LongPoll), "room:turns");
    const others = await Promise.all(hosts.map((host) => joined(connect(host, WebSocket), "room:turns")));
    const seen = [];
    polling.on("shout", ({ from, n }) => seen.push([from, n]));
    const answers = [];
    for (let n = 0; n < 40; n++) {
      for (const [from, channel] of others.entries()) channel.push("shout", { from, n });
      answers.push((await reply(polling.push("ping", { n }))).response.n);
    }
    await until("all broadcasts", () => seen.length >= 80);
    assert.deepEqual(answers, Array.from({ length: 40 }, (_, n) => n));
    for (const from of [0, 1]) {
      assert.deepEqual(seen.filter(([other]) => other === from).map(([, n]) => n), answers);
    }
    const bytes = next(others[0], "bin_shout");
    polling.push("bin_shout", new Uint8Array([0, 255, 7]).buffer);
    assert.deepEqual(new Uint8Array(await bytes), new Uint8Array([0, 255, 7]));
    await reply(polling.leave());
    assert.equal(polling.state, "closed");
    assert.ok(turn > 80, `${turn} requests`);
  });
}

describe("Chromium behind a proxy without WebSockets", { timeout: 60_000 }, () => {
  let server, proxy, browser;
  before(async () => {
    server = await Server.onFreePort();
    proxy = await Proxy.before(server);
    browser = await launch();
  });
  after(async () => {
    await browser?.close();
    await proxy?.close();
    await server?.stop();
  });

  test("falls back, and remembers it in the tab", async () => {
    proxy.upgrades = "refuses";
    const page = await open(await browser.newContext(), `http://${proxy.host}/`);
    const result = await page.evaluate(async () => {
      const { Socket } = await import("/phoenix.mjs");
      const socket = new Socket("/socket", { longPollFallbackMs: 500 });
      socket.connect();
      const lobby = socket.channel("room:lobby");
      const answer = (push) => new Promise((resolve, reject) => push.receive("ok", resolve).receive("error", reject).receive("timeout", reject));
      await answer(lobby.join());
      const response = await answer(lobby.push("ping", { text: "Grüße 🐦" }));
      return { response, remembered: Object.entries(sessionStorage) };
    });
    assert.deepEqual(result.response, { text: "Grüße 🐦" });
    assert.deepEqual(result.remembered, [[REMEMBERED, "true"]]);
  });
});

async function joined(socket, topic, params) {
  const channel = socket.channel(topic, params);
  assert.equal((await reply(channel.join())).status, "ok");
  return channel;
}

// reply is the answer to a push or to a join.
function reply(push) {
  return within(`reply to ${push.event}`, new Promise((resolve) => {
    for (const status of ["ok", "error"]) push.receive(status, (response) => resolve({ status, response }));
  }));
}

// next is the payload of the next such event.
function next(channel, event) {
  return within(event, new Promise((resolve) => {
    const subscription = channel.on(event, (payload) => {
      channel.off(event, subscription);
      resolve(payload);
    });
  }));
}
