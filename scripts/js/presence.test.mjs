// The official client's Presence class (rows 126 to 136 of spec §13), against the
// conformance server: one node, and two of a cluster.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { after, afterEach, before, describe, test } from "node:test";
import WebSocket from "ws";
import { reply } from "./promises.mjs";
import { Server, until } from "./server.mjs";

const require = createRequire(import.meta.url);

for (const version of ["1.6.16", "1.7.21", "1.8.5", "newest"]) {
  describe(`presence of phoenix ${version}`, { timeout: 120_000 }, () => {
    const { LongPoll, Presence, Socket } = require(`phoenix-${version}`);
    let server;
    let sockets = [];

    before(async () => { server = await Server.onFreePort("ROOST_CONFORMANCE"); });
    afterEach(() => {
      for (const socket of sockets) socket.disconnect();
      sockets = [];
    });
    after(() => server?.stop());

    // enter joins as a user, and logs who comes and goes.
    async function enter(user, topic, options = {}) {
      const socket = new Socket(`ws://${server.host}/socket`, {
        transport: WebSocket, timeout: 5_000, reconnectAfterMs: () => 50, rejoinAfterMs: () => 50, ...options,
      });
      sockets.push(socket);
      socket.connect();
      const channel = socket.channel(topic, { user });
      const presence = new Presence(channel);
      const log = [];
      presence.onJoin((key, before, now) => log.push(`${before ? "again" : "join"} ${key} ${now.metas.length}`));
      presence.onLeave((key, left) => log.push(`${left.metas.length ? "less" : "leave"} ${key}`));
      assert.equal((await reply(channel.join())).status, "ok");
      const keys = () => presence.list((key) => key).sort();
      const sees = (...users) => until(`${user} sees ${users}`, () => keys().join() === users.join());
      return { socket, channel, presence, log, keys, sees };
    }

    test("people come and go", async () => {
      const ann = await enter("ann", "presence:go");
      await ann.sees("ann");
      const bob = await enter("bob", "presence:go");
      await bob.sees("ann", "bob");
      await ann.sees("ann", "bob");
      await reply(bob.channel.leave());
      await ann.sees("ann");
      const cat = await enter("cat", "presence:go");
      await ann.sees("ann", "cat");
      cat.socket.disconnect();
      await ann.sees("ann");
      assert.deepEqual(ann.log.filter((line) => !line.endsWith("ann 1")), ["join bob 1", "leave bob", "join cat 1", "leave cat"]);
    });

    test("an update never empties a key, and two tabs are one", async () => {
      const ann = await enter("ann", "presence:tabs");
      const bob = await enter("bob", "presence:tabs");
      await ann.sees("ann", "bob");
      await reply(bob.channel.push("away", { st: "away" }));
      await until("away", () => ann.presence.state.bob.metas[0].st === "away");
      assert.equal(ann.presence.state.bob.metas.length, 1);
      assert.ok(ann.presence.state.bob.metas[0].phx_ref_prev);
      assert.ok(!ann.log.includes("leave bob"), ann.log);
      const tab = await enter("bob", "presence:tabs");
      await until("two metas", () => ann.presence.state.bob.metas.length === 2);
      await reply(tab.channel.leave());
      await until("one meta", () => ann.presence.state.bob.metas.length === 1);
      assert.ok(!ann.log.includes("leave bob"), ann.log);
      await reply(bob.channel.push("untrack", {}));
      await ann.sees("ann");
    });

    test("a crash is a leave, and the rejoin a join", async () => {
      const ann = await enter("ann", "presence:crash");
      const bob = await enter("bob", "presence:crash");
      await ann.sees("ann", "bob");
      const before = ann.presence.state.bob.metas[0].phx_ref;
      bob.channel.push("crash", {});
      await until("bob is back", () => ann.presence.state.bob && ann.presence.state.bob.metas[0].phx_ref !== before);
      await bob.sees("ann", "bob");
    });

    test("a list is right after a reconnect, and says what has changed meanwhile", async () => {
      const ann = await enter("ann", "presence:back");
      const bob = await enter("bob", "presence:back");
      await ann.sees("ann", "bob");
      await server.stop();
      await server.start();
      await until("both are back", () => [ann, bob].every(({ channel }) => channel.state === "joined"), 15_000);
      await ann.sees("ann", "bob");
      await bob.sees("ann", "bob");
      for (const { presence } of [ann, bob]) {
        for (const key of ["ann", "bob"]) assert.equal(presence.state[key].metas.length, 1);
      }
    });

    test("a state in several messages", async () => {
      const ann = await enter("ann", "presence:parts");
      const crowd = [];
      for (let i = 0; i < 8; i++) { // of 3 KiB each; a message has 8
        const user = await enter(`user ${i}`, "presence:parts");
        await reply(user.channel.push("away", { st: "x".repeat(3_000) }));
        crowd.push(user);
      }
      const all = ["ann", "bob", ...crowd.map((_, i) => `user ${i}`)];
      const bob = await enter("bob", "presence:parts");
      await bob.sees(...all);
      await ann.sees(...all);
      for (const key of all) assert.equal(bob.presence.state[key].metas.length, 1, key);
      assert.equal(bob.log.filter((line) => line === "join user 7 1").length, 1);

      for (const user of crowd) user.socket.disconnect(); // while bob comes again
      bob.channel.push("crash", {});
      await bob.sees("ann", "bob");
      await ann.sees("ann", "bob");
      await until("he is back", () => bob.channel.state === "joined");
      await bob.sees("ann", "bob");
    });

    if (version !== "1.6.16" && version !== "1.7.21") { // these need XMLHttpRequest
      test("over long polling", async () => {
        const ann = await enter("ann", "presence:poll", { transport: LongPoll });
        const bob = await enter("bob", "presence:poll");
        for (const each of [ann, bob]) await each.sees("ann", "bob");
        bob.socket.disconnect();
        await ann.sees("ann");
      });
    }

    if (version === "newest") { // which is safe from such keys; older ones are not (CVE-2026-56812)
      test("names that every object has", async () => {
        const ann = await enter("ann", "presence:names");
        for (const name of ["constructor", "toString"]) {
          const other = await enter(name, "presence:names");
          await ann.sees("ann", name);
          await reply(other.channel.leave());
          await ann.sees("ann");
        }
        await enter("__proto__", "presence:names");
        const listed = async () => Object.keys((await reply(ann.channel.push("list", {}))).response);
        await until("the server lists it", async () => (await listed()).includes("__proto__"));
        const bob = await enter("bob", "presence:names");
        await until("bob is seen", () => ann.keys().includes("bob"));
        await until("ann is seen", () => bob.keys().includes("ann"));
      });
    }
  });
}
