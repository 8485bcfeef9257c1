// Runs a server under test: the chat server, named by ROOST_SERVER, or the
// conformance server, named by ROOST_CONFORMANCE.
import { spawn } from "node:child_process";
import { once } from "node:events";
import net from "node:net";
import { setTimeout as pause } from "node:timers/promises";

const DEADLINE = 10_000; // milliseconds

// No server outlives the tests, however they end; a signal alone would skip the
// exit handlers.
const children = new Set();
process.once("exit", () => { for (const child of children) child.kill("SIGKILL"); });
for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => process.exit(1));

// A Server is one address, on which the program runs or not.
export class Server {
  #variable; // of the environment, that names the program
  #port;
  #child;
  #flags;
  #output;

  static async onFreePort(variable = "ROOST_SERVER", ...flags) {
    const server = new Server();
    server.#variable = variable;
    server.#flags = flags;
    server.#port = await freePort();
    await server.start();
    return server;
  }

  get host() { return `127.0.0.1:${this.#port}`; }

  // hosts are those of all nodes that the program runs, as it prints them.
  get hosts() { return [...this.#output.matchAll(/^listening on (\S+)$/gm)].map(([, host]) => host); }

  // operators is the address that -admin serves at.
  get operators() { return this.#output.match(/msg=admin url=(http:\S+)/)[1]; }

  // terminate asks the process to end.
  terminate() { this.#child.kill("SIGTERM"); }

  // start returns when the server accepts connections.
  async start() {
    const program = process.env[this.#variable];
    if (!program) throw new Error(`${this.#variable} must name the server program; scripts/test js builds it and sets it`);

    const child = spawn(program, ["-addr", this.host, ...this.#flags], { stdio: ["ignore", "pipe", "pipe"] });
    this.#output = "";
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (text) => { this.#output += text; });
    let failure;
    child.once("error", (error) => { failure = error; });
    child.once("exit", () => children.delete(child));
    children.add(child);
    this.#child = child;

    await until(`${program} accepting on ${this.host}`, () => {
      if (failure) throw failure;
      if (ended(child)) throw new Error(`${program} ended while starting:\n${this.#output}`);
      return accepts(this.#port);
    }, DEADLINE);
  }

  // kill ends the process as a crash would, without a goodbye.
  async kill() {
    this.#child.kill("SIGKILL");
    if (!ended(this.#child)) await once(this.#child, "exit");
  }

  // stop asks the process to end and fails if it does not.
  async stop() {
    this.terminate();
    try {
      await until("end of the server after SIGTERM", () => ended(this.#child), DEADLINE);
    } finally {
      await this.kill();
    }
  }
}

// until polls for a condition that no event announces.
export async function until(what, condition, deadline = 5_000) {
  const end = performance.now() + deadline;
  while (!await condition()) {
    if (performance.now() > end) throw new Error(`no ${what} within ${deadline} ms`);
    await pause(20);
  }
}

// within is promise, or an error once the deadline has passed.
export async function within(what, promise, deadline = 5_000) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no ${what} within ${deadline} ms`)), deadline);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

function ended(child) {
  return child.exitCode !== null || child.signalCode !== null;
}

async function freePort() {
  const listener = net.createServer().listen(0, "127.0.0.1");
  await once(listener, "listening");
  const { port } = listener.address();
  listener.close();
  await once(listener, "close");
  return port;
}

function accepts(port) {
  return new Promise((resolve) => {
    const connection = net.connect(port, "127.0.0.1");
    connection.once("connect", () => { connection.destroy(); resolve(true); });
    connection.once("error", () => resolve(false));
  });
}
