// The chat: one socket, one channel. A message on the page has made the round
// trip; until then it is in the outbox, and what the connection loses on the
// way is sent again, with the same id, so that nobody sees it twice.
import { connected, openSocket } from "./connection.js";
import { Presence } from "./phoenix.mjs";
import { element, hue, linked } from "./element.js";

const ROOMS = ["lobby", "garden", "workshop"];
const MAX_MESSAGES = 200; // of a room, on the page and in the session; older ones go
const MAX_OUTBOX = 20;
const MAX_BODY = 2_000; // characters; strangers' messages may be megabytes
const MAX_NAME = 32;
const MAX_ID = 32;
const GROUP_WITHIN = 5 * 60_000; // milliseconds; what one says in them has one name above it
const TYPING_EVERY = 2_000; // milliseconds
const TYPING_FOR = 4_000; // milliseconds; then it is over, unless it was told again
const MAX_TYPING = 3; // names
const MAX_PEOPLE = 50; // names, and how many more

const [more, naming, name, people, rooms, other, room, log, messages, outbox, newer, typing, note, problem, composer, body] =
  ["more", "naming", "name", "people", "rooms", "other", "room", "log", "messages", "outbox", "newer", "typing", "note", "problem", "composer", "body"]
    .map((id) => document.getElementById(id));

const socket = openSocket("/socket", { onChange: showOutbox });
let channel;
let here = ""; // the room we are in
let said = []; // {id, user, body, at, own}, oldest first
let waiting = []; // {id, user, body, failed}, oldest first
let atEnd = true; // the newest message is in view, and should stay there
let unread = 0;
let typists = new Map(); // who is typing, and until when
let typedAt = 0; // when the others were told that we are

// enter leaves the room we are in, if any, and joins another.
function enter(next) {
  save();
  channel?.leave();
  here = next;
  ({ said, waiting } = load());
  unread = 0;
  atEnd = true;
  problem.textContent = "";
  typists.clear();
  showTyping();
  showSaid();
  showRooms();
  showOutbox();
  follow();

  channel = socket.channel(`room:${here}`);
  channel.on("new_msg", receive);
  channel.on("typing", ({ user }) => {
    if (typists.size < MAX_TYPING) typists.set(text(user, MAX_NAME), Date.now() + TYPING_FOR);
    showTyping();
  });
  channel.onError(showOutbox);
  const presence = new Presence(channel);
  presence.onSync(() => showPeople(presence.list((key, { metas }) => ({ key, windows: metas.length }))));
  showPeople([]);
  channel.join()
    .receive("ok", () => {
      for (const message of waiting) if (!message.failed) send(message);
      showOutbox();
      catchUp();
      present();
    })
    .receive("error", ({ reason }) => {
      channel.leave(); // or the client would ask again for ever
      problem.textContent = `This room does not let you in: ${reason}`;
    });
}

// present says under which name we are here.
function present() {
  const asked = channel;
  asked.push("enter", { user: name.value.trim() || "anonymous" })
    .receive("error", ({ reason }) => { if (asked === channel) problem.textContent = reason; });
}

function showPeople(all) {
  all.sort((a, b) => a.key.localeCompare(b.key));
  people.replaceChildren(...all.slice(0, MAX_PEOPLE).map(({ key, windows }) => {
    const item = element("li");
    item.append(avatar(key), element("span", windows > 1 ? `${key} (${windows} windows)` : key));
    return item;
  }));
  if (all.length > MAX_PEOPLE) people.append(element("li", `and ${all.length - MAX_PEOPLE} more`));
  more.textContent = all.length ? `${all.length} here ⋯` : "⋯";
}

// catchUp asks for what was said while we were not here. It goes before what has
// come since we asked, and after what we have that is older than all of it.
function catchUp() {
  const asked = channel;
  const before = said.at(-1);
  asked.push("history", {}).receive("ok", ({ messages = [] }) => {
    if (asked !== channel) return; // another room by now
    const past = unique(messages.map(({ at, message }) => read(message ?? {}, at)));
    for (const message of past) if (owns(message)) drop(message);
    const known = new Map(said.map((message) => [message.id, message]));
    const told = new Set(past.map(({ id }) => id));
    const split = said.indexOf(before) + 1;
    const untold = (message) => !told.has(message.id);
    said = [
      ...said.slice(0, split).filter(untold),
      ...past.map((message) => known.get(message.id) ?? message),
      ...said.slice(split).filter(untold),
    ].slice(-MAX_MESSAGES);
    showSaid();
    follow();
  });
}

// unique leaves out what was sent again.
function unique(past) {
  return past.filter(({ id }, i) => !id || past.findIndex((other) => other.id === id) === i);
}

// read takes a message from whoever knows the room's name: every field may be
// missing, of any type, and of any length.
function read(payload, at) {
  const message = { id: text(payload.id, MAX_ID), user: text(payload.user, MAX_NAME) || "anonymous", body: text(payload.body, MAX_BODY), at };
  message.own = owns(message);
  return message;
}

function text(value, length) {
  return String(value ?? "").slice(0, length);
}

function owns({ id }) {
  return waiting.some((message) => message.id === id);
}

function receive(payload) {
  const message = read(payload, Date.now());
  if (message.own) drop(message);
  typists.delete(message.user);
  showTyping();
  if (message.id && said.some(({ id }) => id === message.id)) return; // sent again
  messages.append(draw(message, said.at(-1)));
  said.push(message);
  if (said.length > MAX_MESSAGES) {
    said.shift();
    messages.firstElementChild.remove();
    messages.firstElementChild.replaceWith(draw(said[0]));
  }
  if (!atEnd && !message.own) unread++;
  if (message.own) atEnd = true;
  follow();
}

// post puts a message in the outbox and sends it as soon as that is possible.
function post(written) {
  const message = { id: randomID(), user: name.value.trim() || "anonymous", body: written, failed: "" };
  waiting.push(message);
  if (channel.state === "joined") send(message);
  showOutbox();
  atEnd = true;
  follow();
}

// send sends a message. It is answered only if it is refused; what tells that it
// has arrived is that it comes back.
function send(message) {
  const failed = (reason) => {
    if (channel.state !== "joined" || !waiting.includes(message)) return; // goes out with the next join, or has arrived
    message.failed = reason;
    showOutbox();
  };
  const { id, user, body } = message;
  channel.push("new_msg", { id, user, body })
    .receive("error", ({ reason }) => failed(reason))
    .receive("timeout", () => failed("no answer"));
}

function drop(message) {
  waiting = waiting.filter(({ id }) => id !== message.id);
  showOutbox();
}

function showOutbox() {
  outbox.replaceChildren(...waiting.map((message) => {
    const item = element("li", "", "own");
    item.append(avatar(message.user), element("b", message.user), element("p", message.body));
    if (message.failed) {
      const again = element("button", "Try again", "plain");
      again.addEventListener("click", () => {
        message.failed = "";
        if (channel.state === "joined") send(message);
        showOutbox();
        body.focus();
      });
      const discard = element("button", "Discard", "plain");
      discard.addEventListener("click", () => { drop(message); body.focus(); });
      const actions = element("p");
      actions.append(again, " ", discard);
      item.append(element("p", `Not sent: ${message.failed}`, "problem"), actions);
    } else {
      item.append(element("p", connected() ? "Sending …" : "Waits for the connection", "waits"));
    }
    return item;
  }));
  const failed = waiting.filter((message) => message.failed).length;
  const queued = channel?.state === "joined" && connected() ? 0 : waiting.length - failed;
  const notes = [];
  if (failed) notes.push(`${count(failed, "message")} not sent.`);
  if (queued) notes.push(`${count(queued, "message")} will be sent when the connection is back.`);
  if (note.textContent !== notes.join(" ")) note.textContent = notes.join(" "); // read aloud when it changes
  follow();
}

function showSaid() {
  messages.replaceChildren(...said.map((message, i) => draw(message, said[i - 1])));
}

// draw leaves out to the eye, not to the ear, who says it if that is above it.
function draw(message, previous) {
  const at = new Date(message.at);
  const time = element("time", at.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" }));
  time.dateTime = at.toISOString();
  time.title = at.toLocaleString();
  const item = element("li", "", message.own ? "own" : "");
  const goesOn = previous?.user === message.user && previous.own === message.own && message.at - previous.at < GROUP_WITHIN;
  item.classList.toggle("goes-on", goesOn);
  const user = element("b", message.user);
  if (message.own) user.append(element("span", " (you)"));
  const said = element("p");
  said.append(...linked(message.body));
  item.append(avatar(message.user), user, time, said);
  return item;
}

function avatar(user) {
  const made = element("span", [...user][0] ?? "?", "avatar");
  made.ariaHidden = "true";
  made.style.setProperty("--hue", hue(user));
  return made;
}

function showTyping() {
  for (const [user, until] of typists) if (until <= Date.now()) typists.delete(user);
  const users = [...typists.keys()];
  const who = users.length > 1 ? `${users.slice(0, -1).join(", ")} and ${users.at(-1)} are` : `${users[0]} is`;
  typing.textContent = users.length ? `${who} typing …` : "";
}

// follow keeps the newest message in view, or tells how many are out of it.
function follow() {
  if (atEnd) {
    log.scrollTop = log.scrollHeight;
    unread = 0;
  }
  newer.hidden = unread === 0;
  newer.textContent = `${count(unread, "new message")} ↓`;
  document.title = `${unread ? `(${unread}) ` : ""}${here} · Roost chat`;
}

function showRooms() {
  const all = ROOMS.includes(here) ? ROOMS : [...ROOMS, here];
  rooms.replaceChildren(...all.map((each) => {
    const link = element("a", each);
    link.href = address(each);
    if (each === here) link.ariaCurrent = "page";
    link.addEventListener("click", (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return; // another tab or window
      event.preventDefault();
      go(each);
    });
    const item = element("li");
    item.append(link);
    return item;
  }));
}

function go(next) {
  if (next !== here) {
    history.pushState(null, "", address(next));
    enter(next);
  }
  body.focus();
}

function address(each) {
  return `?room=${encodeURIComponent(each)}`;
}

function roomFromAddress() {
  return new URLSearchParams(location.search).get("room")?.slice(0, 64) || "lobby";
}

// load is what this tab's session knows of the room, save keeps it.
function load() {
  try {
    return JSON.parse(sessionStorage.getItem(`room:${here}`)) ?? { said: [], waiting: [] };
  } catch {
    return { said: [], waiting: [] };
  }
}

function save() {
  if (!here) return;
  const state = JSON.stringify({ said, waiting });
  try {
    sessionStorage.setItem(`room:${here}`, state);
  } catch { // full of other rooms
    sessionStorage.clear();
    sessionStorage.setItem(`room:${here}`, state);
  }
}

function count(n, what) {
  return `${n} ${what}${n === 1 ? "" : "s"}`;
}

// randomID is not crypto.randomUUID, which a page without TLS does not have.
function randomID() {
  return Array.from(crypto.getRandomValues(new Uint32Array(4)), (n) => n.toString(36)).join("");
}

function randomName() {
  const birds = ["Finch", "Heron", "Lark", "Magpie", "Owl", "Robin", "Swift", "Wren"];
  return `${birds[Math.floor(Math.random() * birds.length)]} ${Math.floor(Math.random() * 90) + 10}`;
}

composer.addEventListener("submit", (event) => {
  event.preventDefault();
  const written = body.value.trim();
  if (!written) return;
  if (waiting.length >= MAX_OUTBOX) {
    problem.textContent = `${MAX_OUTBOX} messages wait already: this one has to stay here.`;
    return;
  }
  problem.textContent = "";
  body.value = "";
  typedAt = 0; // what comes next is told at once
  post(written);
});

other.addEventListener("submit", (event) => {
  event.preventDefault();
  const next = room.value.trim();
  room.value = "";
  more.ariaExpanded = "false";
  if (next) go(next);
});

body.addEventListener("input", () => {
  if (channel.state !== "joined" || Date.now() - typedAt < TYPING_EVERY) return;
  typedAt = Date.now();
  channel.push("typing", { user: name.value.trim() || "anonymous" });
});
setInterval(showTyping, 1_000);

// On a phone the names wait behind a button.
more.addEventListener("click", () => { more.ariaExpanded = String(more.ariaExpanded !== "true"); });

naming.addEventListener("submit", (event) => {
  event.preventDefault();
  more.ariaExpanded = "false";
  body.focus();
});
name.addEventListener("change", () => {
  localStorage.setItem("name", name.value.trim());
  if (channel.state === "joined") present();
});
log.addEventListener("scroll", () => {
  atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 48;
  if (atEnd) follow();
});
newer.addEventListener("click", () => {
  atEnd = true;
  follow();
  body.focus();
});
new ResizeObserver(follow).observe(log); // a phone's keyboard comes and goes
window.addEventListener("popstate", () => enter(roomFromAddress()));
window.addEventListener("pagehide", save);
document.addEventListener("visibilitychange", save); // phones end tabs without pagehide

name.value = localStorage.getItem("name") || randomName();
localStorage.setItem("name", name.value);
socket.connect();
enter(roomFromAddress());
