// openSocket makes a socket whose state the header of the page shows: connecting,
// connected, not answering, reconnecting (and when), offline, not connected.
import { Socket } from "./phoenix.mjs";

const RETRY_AFTER = [500, 1_000, 2_000, 5_000, 10_000]; // milliseconds; the last one repeats
const PING_EVERY = 10_000; // milliseconds
const ANSWER_WITHIN = 1_500; // milliseconds; a network that is gone closes nothing

const state = document.getElementById("state");
const detail = document.getElementById("detail");

// connected tells whether what is sent now is likely to arrive.
export const connected = () => state.dataset.state === "connected";

// openSocket calls onChange when the state has another name.
export function openSocket(path, { params = {}, onChange = () => {} } = {}) {
  let retryAt = 0; // milliseconds since 1970; 0 if the connection was not lost
  let latency = "";
  let answering = true; // the last ping was answered, or has time left
  let late; // the timer that says otherwise

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
    const before = state.dataset.state;
    set(...describe());
    if (state.dataset.state !== before) onChange();
  }

  function describe() {
    if (socket.isConnected() && answering) return ["connected", latency];
    latency = "";
    if (socket.closeWasClean) return ["not connected"]; // by disconnect(), or not begun
    if (!navigator.onLine) return ["offline"];
    if (socket.isConnected()) return ["not answering"];
    if (!retryAt) return ["connecting"];
    const seconds = Math.ceil((retryAt - Date.now()) / 1000);
    return ["reconnecting", seconds > 0 ? `in ${seconds} s` : "now"];
  }

  function ping() {
    const sent = performance.now();
    const asked = socket.ping(() => {
      clearTimeout(late);
      answering = true;
      latency = `${(performance.now() - sent).toFixed(1)} ms`;
      show();
    });
    clearTimeout(late);
    if (asked) late = setTimeout(() => { answering = false; show(); }, ANSWER_WITHIN);
  }

  socket.onOpen(() => {
    retryAt = 0;
    answering = true;
    show();
    ping();
  });
  socket.onClose(() => {
    clearTimeout(late);
    show();
  });
  window.addEventListener("offline", () => {
    ping(); // a server on this machine answers without a network
    show();
  });
  window.addEventListener("online", () => {
    if (!connected() && !socket.closeWasClean) { // do not wait for the timer
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
