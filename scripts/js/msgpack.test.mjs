// The official Phoenix client with MessagePack, against server/msgpack/example.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { createRequire, register } from "node:module";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, afterEach, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import WebSocket from "ws";
import { Server, within } from "./server.mjs";

const require = createRequire(import.meta.url);
const { Socket } = require("phoenix-newest");

register("./msgpack-imports.mjs", import.meta.url);
const { encode, decode } = await import("../../server/msgpack/phoenix-msgpack.mjs");

const msgpack = { vsn: "3.0.0", encode, decode };
const json = {};

describe("MessagePack", { timeout: 120_000 }, () => {
  let folder, server;
  let sockets = [];

  before(async () => {
    folder = await mkdtemp(path.join(tmpdir(), "roost-msgpack-"));
    const program = path.join(folder, "example");
    const root = fileURLToPath(new URL("../..", import.meta.url));
    execFileSync("go", ["build", "-o", program, "./server/msgpack/example"], { cwd: root });
    process.env.ROOST_SERVER = program; // for this file, which has a process of its own
    server = await Server.onFreePort();
  });
  afterEach(() => {
    for (const socket of sockets) socket.disconnect();
    sockets = [];
  });
  after(async () => {
    await server?.kill();
    await rm(folder, { recursive: true });
  });

  // joined is a channel on a socket of its own; frames grows with what the
  // socket receives.
  async function joined(serializer, frames = []) {
    const socket = new Socket(`ws://${server.host}/socket`, { transport: WebSocket, timeout: 5_000, ...serializer });
    sockets.push(socket);
    socket.connect();
    const receive = socket.onConnMessage;
    socket.onConnMessage = (message) => { frames.push(message.data); receive.call(socket, message); };
    const channel = socket.channel("room:lobby");
    assert.deepEqual(await reply(channel.join()), {});
    return channel;
  }

  for (const [name, sent, want = sent] of [
    ["an empty map", {}],
    ["a map", { text: "Grüße \"🐦\"\n", list: [1, null, true, { deep: [] }] }],
    ["numbers", { n: [0, -1, 127, 128, -33, 65_536, -(2 ** 31), Date.UTC(2026, 0), 0.1, 1e21, 5e-324] }],
    ["the largest safe integers", { n: [Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER] }],
    ["larger numbers", { n: [2 ** 53, 2 ** 63, 2 ** 64, -(2 ** 63)] }],
    ["what is no number", { n: [NaN, Infinity] }, { n: [null, null] }],
    ["undefined", { a: undefined, b: [undefined] }, { b: [null] }],
    ["a date", { at: new Date("2026-01-02T03:04:05.678Z") }, { at: "2026-01-02T03:04:05.678Z" }],
    ["half a surrogate pair", { text: "\ud83d" }, { text: "\ufffd" }],
    ["bytes in a map", { data: Uint8Array.of(1, 2, 255) }, { data: "AQL/" }],
    ["a list", [1, "two"]],
    ["a long string", { text: "é".repeat(100_000) }],
    ["an ArrayBuffer", Uint8Array.of(1, 2, 255).buffer],
    ["a Uint8Array", Uint8Array.of(1, 2, 255).subarray(1), Uint8Array.of(2, 255).buffer],
    ["no bytes", new ArrayBuffer(0)],
  ]) {
    test(`${name}: there and back`, async () => {
      const channel = await joined(msgpack);
      assert.deepEqual(await reply(channel.push("echo", sent)), want);
    });
  }

  test("everybody hears a shout in their own format", async () => {
    const frames = { msgpack: [], json: [] };
    const one = await joined(msgpack, frames.msgpack);
    const two = await joined(json, frames.json);
    for (const [sender, payload] of [[one, { from: "msgpack", n: 2 ** 40 }], [two, { from: "json", n: 0.5 }]]) {
      const received = [next(one, "shout"), next(two, "shout")];
      await reply(sender.push("shout", payload));
      assert.deepEqual(await Promise.all(received), [payload, payload]);
    }
    for (const frame of frames.msgpack) assert.ok(frame instanceof ArrayBuffer, `text frame ${frame}`);
    for (const frame of frames.json) assert.equal(typeof frame, "string");
  });

  test("everybody hears a shout of bytes", async () => {
    const one = await joined(msgpack);
    const two = await joined(json);
    const bytes = Uint8Array.of(1, 2, 255).buffer;
    for (const sender of [one, two]) {
      const received = [next(one, "shout"), next(two, "shout")];
      sender.push("shout", bytes);
      assert.deepEqual(await Promise.all(received), [bytes, bytes]);
    }
  });

  test("a channel can be left and joined again", async () => {
    const channel = await joined(msgpack);
    assert.deepEqual(await reply(channel.leave()), {});
    const again = channel.socket.channel("room:lobby");
    assert.deepEqual(await reply(again.join()), {});
  });

  test("a heartbeat is answered", async () => {
    const { socket } = await joined(msgpack);
    await within("heartbeat", new Promise((resolve) => {
      assert.ok(socket.ping(resolve), "ping must be sent");
    }));
  });
});

// reply is the response to a push or to a join.
function reply(push) {
  return within(`reply to ${push.event}`, new Promise((resolve, reject) => {
    push.receive("ok", resolve).receive("error", (response) => reject(new Error(JSON.stringify(response))));
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
