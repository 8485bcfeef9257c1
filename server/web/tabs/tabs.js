// One user in several tabs: the server keeps the list and tells all tabs of each
// change, this one included; what is on the page is what the server said.
import { openSocket } from "../connection.js";
import { element } from "../element.js";

const [problem, signIn, user, signedIn, whose, signOut, adding, text, items] =
  ["problem", "sign-in", "user", "signed-in", "whose", "sign-out", "adding", "text", "items"]
    .map((id) => document.getElementById(id));

const socket = openSocket("/user", { params: () => ({ user: user.value }) });
let channel;
let session = 0; // 0 signs in; later, what the server said: coming back with an old one fails

function start() {
  session = 0;
  problem.textContent = "";
  channel = socket.channel(`user:${user.value}`, () => ({ session }));
  channel.on("items", ({ items }) => show(items));
  channel.join()
    .receive("ok", (answer) => {
      session = answer.session;
      localStorage.setItem("user", user.value); // for tabs opened later
      whose.textContent = `${user.value}’s shopping list`;
      show(answer.items);
      if (signIn.hidden) return; // back after a lost connection
      signIn.hidden = true;
      signedIn.hidden = false;
      text.focus();
    })
    .receive("error", ({ reason }) => stop(reason));
  socket.connect();
}

// stop ends the session here. Signing out closes all sockets of the user; this
// one has come back, as after any loss, and was told that it may not join.
function stop(reason) {
  channel.leave();
  socket.disconnect();
  localStorage.removeItem("user");
  signedIn.hidden = true;
  signIn.hidden = false;
  problem.textContent = reason === "signed out" ? "You are signed out, everywhere." : `You cannot sign in: ${reason}`;
  user.focus();
}

// change asks the server for a change. "ok" comes when all tabs have been told.
function change(event, payload, done = () => {}) {
  problem.textContent = "";
  const failed = (reason) => {
    problem.textContent = `Not changed: ${reason}`;
    for (const item of items.children) item.putBack();
  };
  if (channel.state !== "joined") return failed("there is no connection. Try again when it is back");
  channel.push(event, payload)
    .receive("ok", done)
    .receive("error", ({ reason }) => failed(reason))
    .receive("timeout", () => failed("no answer"));
}

// show brings the list up to date, in place: whatever has the focus keeps it.
function show(list) {
  const shown = new Map([...items.children].map((item) => [item.dataset.id, item]));
  for (const { id, text, done } of list) {
    const item = shown.get(String(id)) ?? makeItem(id, text);
    shown.delete(String(id));
    item.putBack = () => { item.querySelector("input").checked = done; };
    item.putBack();
  }
  for (const gone of shown.values()) {
    if (gone.contains(document.activeElement)) text.focus();
    gone.remove();
  }
}

function makeItem(id, text) {
  const item = element("li");
  item.dataset.id = id;
  const check = element("input");
  check.type = "checkbox";
  check.addEventListener("change", () => change("check", { id, done: check.checked }));
  const label = element("label");
  label.append(check, element("span", text));
  const remove = element("button", "Remove", "plain");
  remove.ariaLabel = `Remove ${text}`;
  remove.addEventListener("click", () => change("remove", { id }));
  item.append(label, remove);
  items.append(item); // the server only adds at the end
  return item;
}

signIn.addEventListener("submit", (event) => {
  event.preventDefault();
  start();
});
adding.addEventListener("submit", (event) => {
  event.preventDefault();
  change("add", { text: text.value }, () => { text.value = ""; });
});
signOut.addEventListener("click", () => change("sign_out", {}));

user.value = localStorage.getItem("user") ?? "";
if (user.value) start();
