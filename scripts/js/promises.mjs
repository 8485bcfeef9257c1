// The official client's callbacks as promises.
import { within } from "./server.mjs";

// reply is the answer to a push or to a join.
export function reply(push, statuses = ["ok", "error"]) {
  return within(`reply to ${push.event}`, new Promise((resolve) => {
    for (const status of statuses) push.receive(status, (response) => resolve({ status, response }));
  }));
}

// next is the payload of the next such event.
export function next(channel, event) {
  return within(event, new Promise((resolve) => {
    const subscription = channel.on(event, (payload) => {
      channel.off(event, subscription);
      resolve(payload);
    });
  }));
}
