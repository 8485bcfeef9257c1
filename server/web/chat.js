// The demo chat: one socket, one channel. It draws only what the server sends,
// so a message on the screen has made the round trip.
import { Socket } from "./phoenix.mjs";

const MAX_MESSAGES = 500; // shown; older ones go, so that a busy room cannot fill the tab
const PING_EVERY = 10_000; // milliseconds

const [state, latency, place, user, room, log, messages, composer, body, send] =
  ["state", "latency", "place", "user", "room", "log", "messages", "composer", "body", "send"]
    .map((id) => document.getElementById(id));

const socket = new Socket("/socket");
let channel;

// enter leaves the room we are in, if any, and joins another.
function enter(name) {
  channel?.leave();
  messages.replaceChildren();
  room.value = name;
  document.title = `${name} · Roost chat`;

  channel = socket.channel(`room:${name}`);
  channel.on("new_msg", draw);
  channel.onError(showState);
  channel.onClose(showState);
  channel.join()
    .receive("ok", () => { showState(); ping(); })
    .receive("error", refused)
    .receive("timeout", showState);
  showState();
}

// refused ends the attempt: the client would ask again for ever.
function refused({ reason = "not allowed" }) {
  channel.leave();
  showState();
  state.textContent = `closed: ${reason}`;
}

// showState derives everything from the channel; whichever event calls it, in
// whatever order, the page is right.
function showState() {
  const words = { joining: "connecting", joined: "open", errored: "reconnecting" };
  const word = words[channel.state] ?? "closed";
  state.textContent = word;
  state.dataset.state = word;
  send.disabled = word !== "open";
  if (word !== "open") latency.textContent = "";
}

function ping() {
  if (channel.state !== "joined") return;
  const sent = performance.now();
  channel.push("ping", {}).receive("ok", () => {
    latency.textContent = `${(performance.now() - sent).toFixed(1)} ms`;
  });
}

// draw adds one message. All of it comes from strangers: text only, never HTML.
function draw(message) {
  const name = String(message.user ?? "anonymous");
  const now = new Date();
  const time = element("time", now.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" }));
  time.dateTime = now.toISOString();
  const avatar = element("span", [...name][0] ?? "?");
  avatar.className = "avatar";
  avatar.ariaHidden = "true";
  avatar.style.setProperty("--hue", hue(name));

  const item = document.createElement("li");
  item.classList.toggle("own", name === user.value);
  item.append(avatar, element("b", name), time, element("p", String(message.body ?? "")));

  const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 48;
  messages.append(item);
  if (messages.childElementCount > MAX_MESSAGES) messages.firstElementChild.remove();
  if (atEnd) log.scrollTop = log.scrollHeight;
}

function element(tag, text) {
  const made = document.createElement(tag);
  made.textContent = text;
  return made;
}

// hue gives a name the same colour in every window.
function hue(name) {
  let sum = 0;
  for (const c of name) sum = (sum * 31 + c.codePointAt(0)) % 360;
  return sum;
}

function randomName() {
  const birds = ["Finch", "Heron", "Lark", "Magpie", "Owl", "Robin", "Swift", "Wren"];
  return `${birds[Math.floor(Math.random() * birds.length)]} ${Math.floor(Math.random() * 90) + 10}`;
}

function roomFromAddress() {
  return new URLSearchParams(location.search).get("room") || "lobby";
}

place.addEventListener("submit", (event) => {
  event.preventDefault();
  const name = room.value.trim() || "lobby";
  history.pushState(null, "", `?room=${encodeURIComponent(name)}`);
  enter(name);
  body.focus();
});

composer.addEventListener("submit", (event) => {
  event.preventDefault();
  const text = body.value.trim();
  if (!text || channel.state !== "joined") return; // keep the text for when we are back
  channel.push("new_msg", { user: user.value.trim() || "anonymous", body: text });
  body.value = "";
});

user.addEventListener("change", () => sessionStorage.setItem("user", user.value));
window.addEventListener("popstate", () => enter(roomFromAddress()));

user.value = sessionStorage.getItem("user") || randomName();
sessionStorage.setItem("user", user.value);
socket.connect();
enter(roomFromAddress());
setInterval(ping, PING_EVERY);
