// Shared cursors. Positions are binary: x and y as big-endian uint16, 0 to 65535
// across the board; from the server, the mover's id comes before them as uint32.
import { openSocket } from "../connection.js";
import { element } from "../element.js";

const FULL = 65_535;
const SEND_EVERY = 33; // milliseconds
const MOVE_TIMEOUT = 1_000; // a move is answered only if it is refused: the client need not wait long

const [board, people, news, problem] = ["board", "people", "news", "problem"].map((id) => document.getElementById(id));

const name = localStorage.getItem("name") || `Guest ${Math.floor(Math.random() * 90) + 10}`; // the chat's
const pointers = new Map(); // by id: {x, y, name, arrow, entry}
let myID;
let moved = false; // since we last sent
let sentAt = 0;

const socket = openSocket("/socket");
const channel = socket.channel("board:demo", { name });
channel.on("people", ({ people }) => { people.forEach(put); });
channel.on("enter", (pointer) => {
  put(pointer);
  news.textContent = `${pointer.name} came`;
});
channel.on("leave", ({ id }) => {
  news.textContent = `${pointers.get(id)?.name ?? "Somebody"} left`;
  remove(id);
});
channel.on("move", (bytes) => {
  const data = new DataView(bytes);
  const pointer = pointers.get(data.getUint32(0));
  if (pointer) place(pointer, data.getUint16(4), data.getUint16(6));
});
channel.onError(() => [...pointers.keys()].forEach(remove)); // who is there now, the next join tells
channel.join()
  .receive("ok", ({ id }) => { myID = id; problem.textContent = ""; })
  .receive("error", ({ reason }) => { problem.textContent = `The board does not let you in: ${reason}. Trying again.`; });
socket.connect();

function put({ id, name, x, y }) {
  remove(id);
  const own = id === myID;
  const label = own ? `${name} (you)` : name;
  const arrow = element("span", own ? "you" : name, "pointer");
  const entry = element("li", label);
  for (const part of [arrow, entry]) part.style.setProperty("--hue", id * 137 % 360); // neighbours far apart
  arrow.ariaHidden = "true";
  board.append(arrow);
  people.append(entry);
  const pointer = { name, arrow, entry };
  pointers.set(id, pointer);
  place(pointer, x, y);
}

function remove(id) {
  const pointer = pointers.get(id);
  pointer?.arrow.remove();
  pointer?.entry.remove();
  pointers.delete(id);
}

function place(pointer, x, y) {
  Object.assign(pointer, { x, y });
  pointer.arrow.style.left = `${x / FULL * 100}%`;
  pointer.arrow.style.top = `${y / FULL * 100}%`;
}

// moveTo moves our own cursor. What others get is limited to one position a
// frame and SEND_EVERY, always the last one.
function moveTo(x, y) {
  const me = pointers.get(myID);
  if (!me) return;
  const clamp = (value) => Math.round(Math.min(Math.max(value, 0), FULL));
  place(me, clamp(x), clamp(y));
  if (!moved) requestAnimationFrame(send);
  moved = true;
}

function send(now) {
  const me = pointers.get(myID);
  if (me && now - sentAt < SEND_EVERY) return requestAnimationFrame(send);
  moved = false;
  if (!me || channel.state !== "joined") return;
  sentAt = now;
  const data = new DataView(new ArrayBuffer(4));
  data.setUint16(0, me.x);
  data.setUint16(2, me.y);
  channel.push("move", data.buffer, MOVE_TIMEOUT)
    .receive("error", ({ reason }) => { problem.textContent = `Not moved: ${reason}`; });
}

board.addEventListener("pointermove", (event) => {
  const { left, top, width, height } = board.getBoundingClientRect();
  moveTo((event.clientX - left) / width * FULL, (event.clientY - top) / height * FULL);
});

board.addEventListener("keydown", (event) => {
  const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
  const me = pointers.get(myID);
  if (!way || !me) return;
  event.preventDefault(); // no scrolling
  const step = FULL * (event.shiftKey ? 0.005 : 0.03);
  moveTo(me.x + way[0] * step, me.y + way[1] * step);
});
