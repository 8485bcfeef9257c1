// What the fallback tests need around the client: a proxy that lets no WebSocket
// through, and the parts of a browser that node lacks.
import { once } from "node:events";
import http from "node:http";
import net from "node:net";

// A Proxy passes HTTP requests on to a server. What it does with WebSockets is in
// upgrades: it "passes" or "refuses" them, or "ignores" them without an answer.
export class Proxy {
  upgrades = "refuses";
  seen = 0; // upgrades asked for
  #listener;
  #connections = new Set();

  static async before(server) {
    const proxy = new Proxy();
    proxy.#listener = http.createServer((request, response) => forward(server, request, response));
    proxy.#listener.on("connection", (connection) => proxy.#keep(connection));
    proxy.#listener.on("upgrade", (request, connection, early) => proxy.#upgrade(server, request, connection, early));
    proxy.#listener.listen(0, "127.0.0.1");
    await once(proxy.#listener, "listening");
    return proxy;
  }

  get host() { return `127.0.0.1:${this.#listener.address().port}`; }

  async close() {
    this.#listener.close();
    for (const connection of this.#connections) connection.destroy();
    await once(this.#listener, "close");
  }

  #keep(connection) {
    this.#connections.add(connection);
    connection.once("close", () => this.#connections.delete(connection));
    connection.on("error", () => {}); // the other side's; close follows
  }

  #upgrade(server, request, connection, early) {
    this.seen++;
    if (this.upgrades === "refuses") connection.end("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n");
    if (this.upgrades !== "passes") return;
    const [hostname, port] = server.host.split(":");
    const upstream = net.connect(port, hostname);
    this.#keep(upstream);
    const headers = [];
    for (let i = 0; i < request.rawHeaders.length; i += 2) headers.push(`${request.rawHeaders[i]}: ${request.rawHeaders[i + 1]}`);
    upstream.write(`GET ${request.url} HTTP/1.1\r\n${headers.join("\r\n")}\r\n\r\n`);
    upstream.write(early);
    upstream.pipe(connection).pipe(upstream);
  }
}

function forward(server, request, response) {
  const [hostname, port] = server.host.split(":");
  const { method, url: path, headers } = request;
  const upstream = http.request({ hostname, port, method, path, headers, agent: false }, (answer) => {
    response.writeHead(answer.statusCode, answer.headers);
    answer.pipe(response);
  });
  upstream.on("error", () => response.destroy());
  response.on("close", () => upstream.destroy());
  request.pipe(upstream);
}

// A Storage is a tab's sessionStorage.
export class Storage {
  #items = new Map();
  getItem(key) { return this.#items.get(key) ?? null; }
  setItem(key, value) { this.#items.set(key, String(value)); }
  removeItem(key) { this.#items.delete(key); }
}

// A FetchingXHR is as much of XMLHttpRequest as the client uses.
export class FetchingXHR {
  #headers = {};
  #abort = new AbortController();

  open(method, url) { [this.method, this.url] = [method, url]; }
  setRequestHeader(name, value) { this.#headers[name] = value; }
  abort() { this.#abort.abort(); }

  async send(body) {
    const timer = this.timeout && setTimeout(() => { this.abort(); this.ontimeout?.(); }, this.timeout);
    try {
      const answer = await fetch(this.url, { method: this.method, headers: this.#headers, body, signal: this.#abort.signal });
      this.responseText = await answer.text();
      this.readyState = 4;
      this.onreadystatechange?.();
    } catch (error) {
      if (error.name !== "AbortError") this.onerror?.(error);
    } finally {
      clearTimeout(timer);
    }
  }
}
