// Official clients that come, go, change and crash in random order, over two nodes and
// both transports: in the end each client's Presence is what the server lists.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { afterEach, describe, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import WebSocket from "ws";
import { reply } from "./promises.mjs";
import { Server, until } from "./server.mjs";

const require = createRequire(import.meta.url);
const TOPIC = "presence:storm";

// KEYS are those that all clients can take; the newest can take more.
const KEYS = ["ann", "bob", "1", "01", "-0", " ", ".", "\u0000", "длинный ключ", "😀👩‍🚀", "\ud7ff\u2028", "'\"\\/<&>", "null", "length", "x".repeat(256)];
const NEWEST = ["__proto__", "constructor", "toString", "hasOwnProperty", "__defineGetter__"];

// random makes the same numbers below n for the same seed (mulberry32).
function random(seed) {
  return (n) => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % n;
  };
}

// simple is a state in which only what matters is in a certain order.
function simple(state) {
  return Object.keys(state).sort().map((key) => [key, state[key].metas.map((meta) => JSON.stringify(meta)).sort()]);
}

for (const version of ["1.6.16", "1.7.21", "1.8.5", "newest"]) {
  describe(`a storm of phoenix ${version}`, { timeout: 120_000 }, () => {
    const { LongPoll, Presence, Socket } = require(`phoenix-${version}`);
    const keys = version === "newest" ? [...KEYS, ...NEWEST] : KEYS;
    let server;
    let users = [], sockets = [];

    afterEach(async () => {
      users = [];
      for (const socket of sockets) socket.disconnect(); // once more: 1.6 forgets that during a reconnect
      sockets = [];
      await server?.stop();
    });

    function enter(host, key, transport) {
      const scheme = transport === WebSocket ? "ws" : "http";
      const socket = new Socket(`${scheme}://${host}/socket`, {
        transport, timeout: 5_000, longpollerTimeout: 8_000, reconnectAfterMs: () => 50, rejoinAfterMs: () => 50,
      });
      sockets.push(socket);
      socket.connect();
      const channel = socket.channel(TOPIC, { user: key });
      const presence = new Presence(channel);
      const user = { socket, key, channel, presence, fickle: false };
      users.push(user);
      presence.onJoin(() => {
        if (user.fickle) channel.push("away", { st: "from a callback" });
      });
      presence.onLeave((other) => {
        if (user.fickle && other !== key) channel.push("untrack", {});
        user.fickle = false;
      });
      channel.join();
    }

    // synced is whether the state has come. A client whose join is lost before that keeps
    // the diffs that it has got, and applies them to the state of the next join: it would
    // see those who have left meanwhile, whatever the server does. So it does with diffs
    // for a channel that it leaves if it joins again at once; nobody does that here.
    const synced = ({ presence }) => !presence.inPendingSyncState();

    const steps = [
      (user) => { for (let i = 0; i < 20; i++) user.channel.push("away", { st: i }); },
      (user) => user.channel.push("untrack", {}),
      (user) => user.channel.push("crash", {}),
      (user) => { user.fickle = true; },
      (user) => { user.socket.disconnect(() => { if (users.includes(user)) user.socket.connect(); }); },
      (user) => {
        user.channel.leave();
        user.socket.disconnect();
        users.splice(users.indexOf(user), 1);
      },
    ];

    async function storm(hosts, seed, number, more = () => {}) {
      const next = random(seed);
      for (let i = 0; i < number; i++) {
        const user = users[next(users.length)];
        if (!user || users.length < 15 && next(2)) {
          const transport = (version === "1.8.5" || version === "newest") && next(4) === 0 ? LongPoll : WebSocket;
          enter(hosts[next(hosts.length)], keys[next(keys.length)], transport);
        } else if (synced(user)) {
          steps[next(steps.length)](user);
        }
        if (next(4) === 0) await pause(next(30));
        await more(i);
      }
      for (const user of users) user.fickle = false;
      await until("all are back", () => users.every((user) => user.channel.state === "joined" && synced(user)), 20_000);
      for (const user of users) {
        let list = {};
        await until(`${user.key} sees what the server lists`, async () => {
          const { status, response } = await reply(user.channel.push("list", {}));
          if (status !== "ok") return false;
          list = response;
          return JSON.stringify(simple(user.presence.state)) === JSON.stringify(simple(list));
        }, 10_000).catch(() => assert.deepEqual(simple(user.presence.state), simple(list), `seed ${seed}, ${JSON.stringify(user.key)}`));
      }
    }

    test("on two nodes", async () => {
      server = await Server.onFreePort("ROOST_CONFORMANCE", "-nodes", "2");
      await until("two nodes", () => server.hosts.length === 2);
      for (let seed = 1; seed <= 2; seed++) await storm(server.hosts, seed, 100);
    });

    test("with a server that crashes and starts again", async () => {
      server = await Server.onFreePort("ROOST_CONFORMANCE");
      await storm([server.host], 7, 100, async (i) => {
        if (i % 40 === 39) {
          await until("all have come", () => users.every(synced), 20_000);
          await server.kill();
          await server.start();
        }
      });
    });
  });
}
