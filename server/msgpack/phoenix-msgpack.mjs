// MessagePack for the official Phoenix client. The other end is server/msgpack,
// whose documentation says what becomes of each type.
//
//   import { Socket } from "phoenix";
//   import { encode, decode } from "./phoenix-msgpack.mjs";
//   const socket = new Socket("/socket", { vsn: "3.0.0", encode, decode });
//
// @msgpack/msgpack 3 is for the page to provide, by bundler or import map.
import { decode as unpack, encode as pack } from "@msgpack/msgpack";

const options = {
  ignoreUndefined: true, // as JSON.stringify does
  maxDepth: 1000, // what the server takes, more or less
};

// encode calls back with the bytes of a message. A payload that is an ArrayBuffer
// or a view of one is sent as it is.
export function encode({ join_ref, ref, topic, event, payload }, callback) {
  callback(pack([join_ref, ref, topic, event, toView(payload)], options));
}

// decode calls back with the message that came in a binary frame. A payload or
// response of bytes is an ArrayBuffer, as with the client's own serializer.
export function decode(rawPayload, callback) {
  const [join_ref, ref, topic, event, body] = unpack(rawPayload);
  const payload = event === "phx_reply"
    ? { status: body.status, response: toBuffer(body.response) }
    : toBuffer(body);
  callback({ join_ref, ref, topic, event, payload });
}

function toView(value) { return value instanceof ArrayBuffer ? new Uint8Array(value) : value; }
function toBuffer(value) { return value instanceof Uint8Array ? value.slice().buffer : value; }
