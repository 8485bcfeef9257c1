// openSocket makes a socket whose state the header of the page shows:
// connecting, connected, reconnecting (and when), offline, not connected.
import { Socket } from "./phoenix.mjs";

const RETRY_AFTER = [500, 1_000, 2_000, 5_000, 10_000]; // milliseconds; the last one repeats
const PING_EVERY = 10_000; // milliseconds

const state = document.getElementById("state");
const detail = document.getElementById("detail");

export function openSocket(path, params = {}) {
  let retryAt = 0; // milliseconds since 1970; 0 if the connection was not lost
  let latency = "";

  const socket = new Socket(path, {
    params,
    reconnectAfterMs(tries) {
      const base = RETRY_AFTER[tries - 1] ?? RETRY_AFTER.at(-1);
      const wait = base * (0.5 + Math.random()); // after a restart not all clients at once
      retryAt = Date.now() + wait;
      return wait;
    },
  });

  // show derives everything from the socket: whatever calls it, in whatever
  // order, the header is right.
  function show() {
    if (socket.isConnected()) return set("connected", latency);
    latency = "";
    if (socket.closeWasClean) return set("not connected"); // by disconnect(), or not begun
    if (!navigator.onLine) return set("offline");
    if (!retryAt) return set("connecting");
    const seconds = Math.ceil((retryAt - Date.now()) / 1000);
    set("reconnecting", seconds > 0 ? `in ${seconds} s` : "now");
  }

  function ping() {
    const sent = performance.now();
    socket.ping(() => {
      latency = `${(performance.now() - sent).toFixed(1)} ms`;
      show();
    });
  }

  socket.onOpen(() => { retryAt = 0; show(); ping(); });
  socket.onClose(show);
  window.addEventListener("offline", show);
  window.addEventListener("online", () => {
    if (!socket.isConnected() && !socket.closeWasClean) { // do not wait for the timer
      socket.disconnect();
      socket.connect();
    }
    show();
  });
  queueMicrotask(show); // once the page has connected, or not
  setInterval(show, 1_000); // the countdown
  setInterval(ping, PING_EVERY);
  return socket;
}

// set changes only what differs: state is read aloud when it does, detail never.
function set(word, more = "") {
  if (state.textContent !== word) state.textContent = state.dataset.state = word;
  if (detail.textContent !== more) detail.textContent = more;
}
