// The official Phoenix client, in the versions people run, against the server.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { after, afterEach, before, describe, test } from "node:test";
import WebSocket from "ws";
import { next, reply } from "./promises.mjs";
import { Server, until, within } from "./server.mjs";

const require = createRequire(import.meta.url);

for (const version of ["1.6.16", "1.7.21", "1.8.5", "newest"]) {
  describe(`phoenix ${version}`, { timeout: 120_000 }, () => {
    const { Socket } = require(`phoenix-${version}`);
    let server;
    let sockets = [];

    before(async () => { server = await Server.onFreePort(); });
    afterEach(() => {
      for (const socket of sockets) socket.disconnect();
      sockets = [];
    });
    after(() => server?.stop());

    function connect() {
      const socket = new Socket(`ws://${server.host}/socket`, {
        transport: WebSocket,
        timeout: 5_000,
        reconnectAfterMs: () => 50,
        rejoinAfterMs: () => 50,
      });
      sockets.push(socket);
      socket.connect();
      return socket;
    }

    async function joined(socket, topic) {
      const channel = socket.channel(topic);
      assert.deepEqual(await reply(channel.join()), { status: "ok", response: {} });
      return channel;
    }

    test("ping is answered with its payload", async () => {
      const lobby = await joined(connect(), "room:lobby");
      const payload = { text: "Grüße 🐦", list: [1, null, { deep: true }] };
      assert.deepEqual(await reply(lobby.push("ping", payload)), { status: "ok", response: payload });
    });

    for (const event of ["new_msg", "shout"]) {
      test(`${event} reaches the sender and the others`, async () => {
        const sender = await joined(connect(), "room:lobby");
        const other = await joined(connect(), "room:lobby");
        const message = { user: "ada", body: "hello" };
        const received = [next(sender, event), next(other, event)];
        sender.push(event, message);
        assert.deepEqual(await Promise.all(received), [message, message]);
      });
    }

    test("a broadcast stays in its room", async () => {
      const sender = await joined(connect(), "room:a");
      const socket = connect();
      const seen = messages(socket);
      const other = await joined(socket, "room:b");
      const received = next(sender, "new_msg");
      sender.push("new_msg", { body: "for a" });
      await received;
      const own = next(other, "new_msg");
      other.push("new_msg", { body: "for b" });
      await own;
      assert.deepEqual(seen, [{ body: "for b" }]);
    });

    test("after leaving, broadcasts no longer arrive", async () => {
      const sender = await joined(connect(), "room:lobby");
      const socket = connect();
      const seen = messages(socket);
      const leaver = await joined(socket, "room:lobby");

      // The client believes it has left before the server says so.
      const closed = new Promise((resolve) => {
        socket.onMessage((message) => { if (message.event === "phx_close") resolve(); });
      });
      leaver.leave();
      await within("phx_close", closed);

      const missed = next(sender, "new_msg");
      sender.push("new_msg", { body: "missed" });
      await missed;

      // One publisher's messages keep their order, so the second one to come
      // proves that the first one never will.
      const again = await joined(socket, "room:lobby");
      const received = next(again, "new_msg");
      sender.push("new_msg", { body: "seen" });
      await received;
      assert.deepEqual(seen, [{ body: "seen" }]);
    });

    test("a topic without a channel cannot be joined", async () => {
      const nowhere = connect().channel("nowhere");
      assert.deepEqual(await reply(nowhere.join()), { status: "error", response: { reason: "unmatched topic" } });
    });

    test("a heartbeat is answered", async () => {
      const socket = connect();
      await joined(socket, "room:lobby");
      const elapsed = await within("heartbeat", new Promise((resolve) => {
        assert.ok(socket.ping(resolve), "ping must be sent");
      }));
      assert.ok(elapsed >= 0, `round trip of ${elapsed} ms`);
    });

    test("clients come back by themselves after a restart", async () => {
      const one = await joined(connect(), "room:lobby");
      const two = await joined(connect(), "room:lobby");

      await server.kill();
      await until("loss of both channels", () => one.state !== "joined" && two.state !== "joined");
      await server.start();
      await until("rejoin of both channels", () => one.state === "joined" && two.state === "joined", 15_000);

      const received = [next(one, "new_msg"), next(two, "new_msg")];
      one.push("new_msg", { body: "back" });
      assert.deepEqual(await Promise.all(received), [{ body: "back" }, { body: "back" }]);
    });
  });
}

// messages grows with the payload of every new_msg that the socket receives,
// those that the client would drop included.
function messages(socket) {
  const seen = [];
  socket.onMessage(({ event, payload }) => { if (event === "new_msg") seen.push(payload); });
  return seen;
}
