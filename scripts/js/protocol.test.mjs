// What the official client does in the corners of the protocol (rows 22, 100 and
// 147 to 152 of spec §13), against the conformance server.
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

    before(async () => { server = await Server.onFreePort("ROOST_CONFORMANCE"); });
    afterEach(() => {
      for (const socket of sockets) socket.disconnect();
      sockets = [];
    });
    after(() => server?.stop());

    function connect(options = {}, path = "/socket") {
      const socket = new Socket(`ws://${server.host}${path}`, {
        transport: WebSocket, timeout: 5_000, reconnectAfterMs: () => 50, rejoinAfterMs: () => 50, ...options,
      });
      sockets.push(socket);
      socket.connect();
      return socket;
    }

    async function joined(socket, topic, params) {
      const channel = socket.channel(topic, params);
      assert.equal((await reply(channel.join())).status, "ok");
      return channel;
    }

    test("a disconnect by id closes with 1001, and the client comes back", async () => {
      const socket = connect({ params: { user_id: "7" } });
      const channel = await joined(socket, "room:a");
      const closed = within("close", new Promise((resolve) => socket.onClose((event) => resolve(event.code))));
      await reply((await joined(connect(), "room:b")).push("disconnect", { id: "users_socket:7" }));
      assert.equal(await closed, 1001);
      await until("rejoin", () => channel.state === "joined");
      assert.deepEqual(await reply(channel.push("ping", { n: 1 })), { status: "ok", response: { n: 1 } });
    });

    test("a malformed message closes with 1011, and the client comes back", async () => {
      const socket = connect();
      const channel = await joined(socket, "room:a");
      const closed = within("close", new Promise((resolve) => socket.onClose((event) => resolve(event.code))));
      socket.conn.send("no JSON");
      assert.equal(await closed, 1011);
      await until("rejoin", () => channel.state === "joined");
    });

    test("a restart closes with 1012, and the client comes back", async () => {
      const socket = connect();
      const channel = await joined(socket, "room:a");
      const closed = within("close", new Promise((resolve) => socket.onClose((event) => resolve(event.code))));
      await server.stop();
      assert.equal(await closed, 1012);
      await server.start();
      await until("rejoin", () => channel.state === "joined", 15_000);
    });

    test("a crash is an error, and the client joins again", async () => {
      const socket = connect();
      const channel = await joined(socket, "room:a");
      const other = await joined(socket, "room:b");
      const failed = within("onError", new Promise((resolve) => channel.onError(resolve)));
      channel.push("crash", {});
      await failed;
      await until("rejoin", () => channel.state === "joined");
      assert.equal(other.state, "joined");
      assert.deepEqual(await reply(other.push("ping", {})), { status: "ok", response: {} });
    });

    test("pushes made before the join is answered are delivered after it", async () => {
      const channel = connect().channel("room:slow", { ms: 300 });
      const join = reply(channel.join());
      const answers = [1, 2, 3].map((n) => reply(channel.push("ping", { n })));
      assert.equal((await join).status, "ok");
      assert.deepEqual((await Promise.all(answers)).map(({ response }) => response.n), [1, 2, 3]);
    });

    test("a join that times out is left, and joined again until it is in once", async () => {
      let ms = 600;
      const channel = connect({ timeout: 300, rejoinAfterMs: () => 400 }).channel("room:slow", () => ({ ms }));
      const timeout = within("timeout", new Promise((resolve) => channel.join().receive("timeout", resolve)));
      await timeout;
      ms = 0;
      await until("join", () => channel.state === "joined");
      const { response } = await reply(channel.push("whoami", {}));
      assert.equal(response.join_ref, channel.joinRef());
      const count = await (await fetch(`http://${server.host}/__conformance/alive?topic=room:slow`)).text();
      assert.equal(count, "1");
    });

    test("leaving and joining again in one tick ends joined", async () => {
      const socket = connect();
      await joined(socket, "room:a");
      const again = await joined(socket, "room:a"); // the client leaves the first by itself
      const heard = next(again, "shout");
      again.push("shout", { n: 1 });
      assert.deepEqual(await heard, { n: 1 });
    });

    test("bytes come back as they went", async () => {
      const channel = await joined(connect(), "room:a");
      const bytes = Uint8Array.from({ length: 256 }, (_, i) => i);
      const { response } = await reply(channel.push("bin", bytes.buffer));
      assert.deepEqual(new Uint8Array(response), bytes);
      const pushed = next(channel, "bin_pushed");
      channel.push("bin_push", bytes.buffer);
      assert.deepEqual(new Uint8Array(await pushed), bytes);
      const shouted = next(channel, "bin_shout");
      channel.push("bin_shout", bytes.buffer);
      assert.deepEqual(new Uint8Array(await shouted), bytes);
    });

    test("every status has its hook", async () => {
      const channel = await joined(connect(), "room:a");
      assert.deepEqual(await reply(channel.push("status", { n: 1 }), ["ok", "error", "maybe"]), { status: "maybe", response: { n: 1 } });
      assert.deepEqual(await reply(channel.push("fail", { n: 2 })), { status: "error", response: { n: 2 } });
    });

    test("ping tells the round trip", async () => {
      const socket = connect();
      await joined(socket, "room:a");
      const ms = await within("pong", new Promise((resolve) => assert.ok(socket.ping(resolve))));
      assert.ok(ms >= 0 && ms < 5_000, `${ms} ms`);
    });

    test("a refused connection is tried again for ever, and joins when it is let in", async () => {
      let params = { reject: "true" };
      let failures = 0;
      const socket = connect({ params: () => params });
      socket.onError(() => { failures++; });
      const channel = socket.channel("room:a");
      channel.join();
      await until("three failures", () => failures >= 3);
      params = {};
      await until("join", () => channel.state === "joined");
    });

    // authToken came with 1.8.
    if (!version.startsWith("1.6") && !version.startsWith("1.7")) {
      test("the auth token is in no URL", async () => {
        const channel = await joined(connect({ authToken: "s3cret+/=" }, "/auth"), "room:a");
        assert.equal((await reply(channel.push("whoami", {}))).response.user_id, "auth");
        const wrong = connect({ authToken: "other" }, "/auth");
        const failed = within("onError", new Promise((resolve) => wrong.onError(resolve)));
        await failed;
        assert.ok(!wrong.isConnected());
      });
    }

    test("compression is the transport's own business", async () => {
      const channel = await joined(connect({}, "/socketz"), "room:a");
      assert.equal(channel.socket.conn.extensions?.includes("permessage-deflate") ?? true, true);
      const { response } = await reply(channel.push("big", { n: 100_000 }));
      assert.equal(response.data, "x".repeat(100_000));
    });
  });
}
