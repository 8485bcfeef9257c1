// Shows one snapshot of the server after the other. Rates are of two snapshots.
import { openSocket } from "./connection.js";

const KEPT = 60; // points of each small chart
const $ = (id) => document.getElementById(id);

let last; // the snapshot before
let most = 0; // sockets at most, since the page is open: what a drain begins with
const charts = new Map(); // figure → its last values

// element makes one; texts are never markup.
function element(name, properties = {}, ...children) {
  const e = Object.assign(document.createElement(name), properties);
  e.append(...children);
  return e;
}

const count = (n) => Math.round(n).toLocaleString("en");

function short(n) {
  if (n >= 1e6) return `${(n / 1e6).toFixed(2)} M`;
  if (n >= 1e5) return `${Math.round(n / 1e3)} k`;
  return n >= 10 || Number.isInteger(n) ? count(n) : n.toFixed(1);
}

function bytes(n) {
  const units = ["B", "KB", "MB", "GB", "TB"];
  const at = n < 1000 ? 0 : Math.min(Math.floor(Math.log10(n) / 3), units.length - 1);
  const value = n / 1000 ** at;
  return `${at === 0 || value >= 100 ? Math.round(value) : value.toPrecision(3)} ${units[at]}`;
}

function duration(seconds) {
  if (seconds < 1) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 120) return `${Math.round(seconds)} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  return seconds < 172_800 ? `${Math.round(seconds / 3600)} h` : `${Math.round(seconds / 86_400)} days`;
}

// figure is a number with a small chart of what it was.
function figure(label, value, text) {
  const values = charts.get(label) ?? [];
  charts.set(label, values);
  values.push(value);
  if (values.length > KEPT) values.shift();
  const peak = Math.max(...values, 1e-9);
  const points = values.map((v, i) => `${KEPT - values.length + i},${20 - (v / peak) * 19}`).join(" ");
  const chart = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  chart.setAttribute("viewBox", `0 0 ${KEPT - 1} 21`);
  chart.setAttribute("preserveAspectRatio", "none");
  chart.setAttribute("aria-hidden", "true");
  const line = document.createElementNS(chart.namespaceURI, "polyline");
  line.setAttribute("points", points);
  chart.append(line);
  return element("div", { className: "figure" }, element("span", {}, label), element("b", {}, text), chart);
}

function rows(id, list, cells) {
  const made = list.map((item) => element("tr", {}, ...cells(item).map((cell) => element("td", {}, cell))));
  if (made.length === 0) made.push(element("tr", {}, element("td", { className: "none", colSpan: $(id).closest("table").tHead.rows[0].cells.length }, "none")));
  $(id).replaceChildren(...made);
}

const pairs = (id, list) =>
  $(id).replaceChildren(...list.flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, value)]));

// rate is how many of an event there were in a second since the snapshot before.
const rate = (now, name) =>
  last && last.totals ? Math.max(0, ((now.totals[name] ?? 0) - (last.totals[name] ?? 0)) / ((now.at - last.at) / 1000)) : 0;

const per = (n, unit) => `${unit === bytes ? bytes(n) : short(n)}/s`;

function showFigures(s) {
  const list = [
    figure("Clients", s.stats.sockets, count(s.stats.sockets)),
    figure("Channels", s.stats.channels, count(s.stats.channels)),
  ];
  for (const [label, name, unit] of s.totals ? [
    ["Joins", "roost_joins_total"],
    ["Messages in", "roost_messages_received_total"],
    ["Broadcasts", "roost_broadcasts_total"],
    ["Deliveries", "roost_broadcast_receivers_total"],
    ["Pushes", "roost_pushes_total"],
    ["Bytes out", "roost_broadcast_payload_bytes_total", bytes],
  ] : []) {
    const value = rate(s, name);
    list.push(figure(label, value, per(value, unit)));
  }
  $("figures").replaceChildren(...list);
}

function showNotice(s) {
  most = s.draining ? Math.max(most, s.stats.sockets) : s.stats.sockets;
  const notice = $("notice");
  notice.hidden = !s.draining && !s.not_ready;
  if (s.draining) {
    const gone = most - s.stats.sockets;
    notice.replaceChildren(
      `Draining: ${count(gone)} of ${count(most)} clients have gone to other nodes.`,
      element("progress", { max: Math.max(most, 1), value: gone }));
  } else {
    notice.replaceChildren(`Takes no clients: ${s.not_ready}`);
  }
}

function showBudgets(s) {
  $("budgets").replaceChildren(...s.budgets.map((b) => {
    const text = b.name.endsWith("bytes") ? bytes : count;
    const name = b.name.replace(/ bytes$/, "");
    if (!b.max) return element("li", {}, element("label", {}, element("span", {}, name), element("span", {}, text(b.used))));
    const id = `budget-${name}`;
    return element("li", {},
      element("label", { htmlFor: id }, element("span", {}, name), element("span", {}, `${text(b.used)} of ${text(b.max)}`)),
      element("meter", { id, max: b.max, value: b.used, high: 0.8 * b.max }));
  }));
}

function showCallbacks(s) {
  const c = s.stats.callbacks;
  const passes = (name) => {
    const sum = (of) => of.loops.reduce((n, l) => n + l[name], 0);
    return last ? per((sum(s) - sum(last)) / ((s.at - last.at) / 1000)) : "–";
  };
  pairs("callbacks", [
    ["callbacks that run", count(c.running)],
    ["of them for long", count(c.long)],
    ["waiting for a worker", count(c.queued)],
    ["the oldest runs for", c.running ? duration(c.oldest_ns / 1e9) : "–"],
    ["timed out so far", count(c.timed_out)],
    ["passes of a loop over 2 ms", passes("ms2")],
    ["over 10 ms", passes("ms10")],
    ["over 100 ms", passes("ms100")],
  ]);
}

const KERNEL = 4_100; // bytes of a connection without unread data, Linux 6.18

function showMemory(s) {
  const { rss, heap, tcp } = s.memory;
  pairs("memory", [
    ["process", bytes(rss)],
    ["of it Go's heap", bytes(heap)],
    ["heap per client", s.stats.sockets ? bytes(heap / s.stats.sockets) : "–"],
    ["kernel's connections, about", bytes(KERNEL * s.stats.connections)],
    ["TCP buffers of this host", bytes(tcp)],
    ["waits for clients", `${bytes(s.ledger.backlog)} of ${bytes(s.ledger.backlog_max)}`],
  ]);
}

function showCluster(s) {
  $("nodes-card").hidden = !s.node;
  if (!s.node) return;
  const c = s.cluster;
  pairs("cluster", [
    ["link", c.Connected ? "up" : "down"],
    ["waits for the link", bytes(c.Pending)],
    ["sent, received", `${short(c.Published)}, ${short(c.Received)}`],
    ["dropped, missed", `${count(c.Dropped)}, ${count(c.Missed)}`],
  ]);
  $("nodes").replaceChildren(...(c.Peers ?? []).map((peer) => element("li", {}, peer)));
}

function show(s) {
  if (last && s.at <= last.at) return;
  $("node").textContent = [s.node, `up ${duration(s.uptime)}`].filter(Boolean).join(" · ");
  document.title = `${short(s.stats.sockets)} clients · Roost`;
  showNotice(s);
  showFigures(s);
  rows("topics", s.topics, (t) => [t.topic, count(t.subscribers)]);
  showBudgets(s);
  showCallbacks(s);
  showMemory(s);
  rows("debtors", s.ledger.debtors ?? [], (d) => [d.id || d.remote, bytes(d.waiting), duration(d.quiet_ns / 1e9)]);
  rows("cuts", s.ledger.cuts ?? [], (c) => [c.cause, c.pattern || c.mount, count(c.count)]);
  showCluster(s);
  last = s;
}

const socket = openSocket("/live");
const node = socket.channel("node");
node.on("snapshot", show);
node.join();
socket.connect();
