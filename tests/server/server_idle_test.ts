/** The drain of a server whose handlers wait for their next message: `waitForRequest`. */

import * as module from "../../mod.ts";
import {
  BaseRequestHandler,
  createConnection,
  MSG_WAITALL,
  type RequestHandlerConstructor,
  type ServerCloseReport,
  type Socket,
  StreamRequestHandler,
  TimeoutError,
} from "../../mod.ts";
import {
  assert,
  assertEquals,
  assertRejects,
  assertStringIncludes,
} from "../deps.ts";
import { haveUnix, mayFork, mayRead } from "../helpers/allowed.ts";
import { bytes, text } from "../helpers/bytes.ts";
import { connectTo } from "../helpers/clients.ts";
import { Stderr } from "../helpers/reports.ts";
import {
  type AnyServer,
  type AnyServerClass,
  LOOPBACK,
  serving,
} from "../helpers/servers.ts";
import { newPath } from "../helpers/sockets.ts";
import { serverContext } from "../helpers/ssl.ts";
import { Event, until, within } from "../helpers/within.ts";
import { connectTls } from "../ssl/ssl_server_helpers.ts";
import * as W from "../testdata/waiting_handlers.ts";

/** Receives to the end of the stream. */
async function rest(client: Socket): Promise<string> {
  using file = client.makefile("rb");
  return text(await file.read());
}

/** A way to run a handler. */
interface Way {
  name: string;
  Handler: RequestHandlerConstructor;
  options?: object;
  ignore: boolean;
  /** How many clients are served at a time. */
  most?: number;
}

const { WaitingLines, WaitingText, WaitingSocket, WaitingDual } = W;
const { BlockingLines, BlockingText, BlockingMessages } = W;
const blocking = { options: { maxWorkers: 4 }, ignore: !mayRead };
const children = { options: { maxChildren: 1 }, ignore: !mayFork };
const workers = { options: { maxWorkers: 1 }, ignore: !mayRead };

const WAYS: Way[] = [
  { name: "TCPServer", Handler: WaitingLines, ignore: false, most: 1 },
  { name: "AsyncTCPServer", Handler: WaitingLines, ignore: false },
  { name: "AsyncTCPServer", Handler: WaitingText, ignore: false },
  { name: "AsyncTCPServer", Handler: WaitingSocket, ignore: false },
  { name: "AsyncTCPServer", Handler: WaitingDual, ignore: false },
  { name: "AsyncUnixStreamServer", Handler: WaitingLines, ignore: !haveUnix },
  { name: "ThreadingTCPServer", Handler: WaitingLines, ...workers },
  { name: "ThreadingTCPServer", Handler: WaitingSocket, ...workers },
  { name: "ThreadingTCPServer", Handler: BlockingLines, ...blocking },
  { name: "ThreadingTCPServer", Handler: BlockingText, ...blocking },
  { name: "ThreadingTCPServer", Handler: BlockingMessages, ...blocking },
  { name: "ForkingTCPServer", Handler: WaitingLines, ...children },
  { name: "ForkingTCPServer", Handler: WaitingSocket, ...children },
];

for (const { name, Handler, options, ignore, most = 3 } of WAYS) {
  for (const tls of [false, true]) {
    if (tls && (name === "TCPServer" || Handler !== WaitingLines)) {
      if (Handler !== BlockingLines) continue;
    }
    const over = tls ? " over TLS" : "";
    Deno.test({
      name:
        `${name}: ${Handler.name}${over}: a drain ends idle requests at once, and serves what has arrived`,
      ignore,
      fn: () => drainOne({ name, Handler, options, ignore }, tls, most),
    });
  }
}

/** Drains a server with an idle client, one whose message has arrived, and one whose message is under way. */
async function drainOne(
  { name, Handler, options }: Way,
  tls: boolean,
  most: number,
): Promise<void> {
  const Server = (module as unknown as Record<string, AnyServerClass>)[name];
  const address = name.includes("Unix") ? newPath() : LOOPBACK;
  const ssl = tls ? serverContext() : null;
  const server = new Server(address, Handler, { ...options, ssl });
  const served = server.serveForever();
  try {
    const clients: Socket[] = [];
    for (let count = 0; count < most; count++) {
      const client = tls ? await connectTls(server) : await connectTo(server);
      clients.push(client);
      assertEquals(text(await client.recv(6, MSG_WAITALL)), "hello\n");
    }
    await until(() => server.status.idle === most);
    const [idle, ready, busy] = most === 1 ? [clients[0]] : clients;
    if (busy !== undefined) {
      await busy.sendall(bytes("work\n"));
      await until(() => server.status.idle === 2);
    }
    await ready?.sendall(bytes("one1\ntwo2\n")); // the system has it; the server has not seen it yet
    const closing = server.serverClose({ timeout: 30 });
    const expected: ServerCloseReport = {
      idle: 1,
      finished: most - 1,
      forced: 0,
    };
    assertEquals(await within(rest(idle)), "bye\n");
    if (ready !== undefined) {
      assertEquals(await within(rest(ready)), "one1\ntwo2\nbye\n");
      assertEquals(await within(rest(busy)), "work\nbye\n");
    }
    const report = await within(closing);
    if (/^(Threading|Forking)/.test(name) && report.idle === 2) {
      expected.idle++; // `ready` was served before the worker or the child heard of the drain
      expected.finished--;
    }
    assertEquals(report, expected);
    assertEquals(server.status.idle, 0);
    assertEquals(server.status.finished, most);
    for (const client of clients) client.close();
  } finally {
    await within(server.serverClose({ timeout: 0 }));
  }
  await within(served);
}

/** The counts of a client under load, and whether it was told the end. */
interface Seen {
  sent: number;
  answered: number;
  goodbye: boolean;
}

/** Sends a line, and the next one after each answer, until the server ends the connection. */
async function load(
  server: AnyServer,
  lines: Iterable<string>,
  seen: Seen,
): Promise<void> {
  using client = await connectTo(server);
  using file = client.makefile("rb");
  try {
    assertEquals(text(await file.readline()), "hello\n");
    for (const line of lines) {
      seen.sent++;
      await client.sendall(bytes(line));
      const answer = text(await file.readline());
      seen.goodbye = answer === "bye\n";
      if (answer !== line) return;
      seen.answered++;
    }
    seen.goodbye = text(await file.readline()) === "bye\n";
  } catch (error) {
    if (!(error instanceof module.OSError)) throw error; // reset: cut off, or its line came too late
  }
}

/** Yields a line again and again. */
function* always(line: string): Generator<string> {
  for (;;) yield line;
}

const LOADED: Way[] = [
  { name: "AsyncTCPServer", Handler: WaitingLines, ignore: false },
  { name: "ThreadingTCPServer", Handler: WaitingLines, ...workers },
  { name: "ForkingTCPServer", Handler: WaitingLines, ...children },
];
for (const { name, Handler, options, ignore } of LOADED) {
  Deno.test({
    name: `${name}.serverClose() under load reports what its clients see`,
    ignore,
    fn: () => drainUnderLoad(name, Handler, options),
  });
}

/** Drains a server with 10 idle clients, 10 that ask on and on, 5 whose request takes until the drain, 2 that hang. */
async function drainUnderLoad(
  name: string,
  Handler: RequestHandlerConstructor,
  options: object | undefined,
): Promise<void> {
  const Server = (module as unknown as Record<string, AnyServerClass>)[name];
  const server = new Server(LOOPBACK, Handler, options);
  const served = server.serveForever();
  const start = (count: number, lines: () => Iterable<string>) =>
    Array.from({ length: count }, () => {
      const seen: Seen = { sent: 0, answered: 0, goodbye: false };
      return { seen, ended: load(server, lines(), seen) };
    });
  const idle = start(10, () => []);
  const busy = start(10, () => always("ping\n"));
  const working = start(5, () => ["work\n"]);
  const hung = start(2, () => ["hang\n"]);
  const all = [...idle, ...busy, ...working, ...hung];
  const sum = (of: "sent" | "answered", clients = all) =>
    clients.reduce((sum, { seen }) => sum + seen[of], 0);
  await until(() =>
    sum("answered") > 300 && server.status.idle >= 10 &&
    sum("sent", [...working, ...hung]) === 7
  );
  const closing = server.serverClose({ timeout: 60 });
  await until(() => server.status.active === 2); // those that hang
  await within(server.serverClose({ timeout: 0 }));
  const report = await within(closing);
  await within(Promise.all(all.map(({ ended }) => ended)));
  await within(served);
  const shown = JSON.stringify({ report, sent: sum("sent") });
  const polite = all.filter(({ seen }) => seen.goodbye).length;
  assertEquals(report.forced, 2, `${shown}: forced`);
  assertEquals(polite, 25, `${shown}: polite`);
  assertEquals(report.idle + report.finished, 25, shown);
  assert(report.idle >= 10 && report.finished >= 5, shown);
  assertEquals(sum("answered", working), 5, shown);
  const late = sum("sent", busy) - sum("answered", busy); // sent as the server said goodbye
  assert(late <= busy.length, shown);
  const { bytesOut } = server.status;
  const answers = 5 * sum("answered") + 25 * ("hello\nbye\n".length);
  const greetings = bytesOut - answers; // of the two that hang, unless their child was killed
  assert(greetings === 0 || greetings === 12, `${greetings} ${shown}`);
}

/** Serves one client of a handler. */
async function withClient(
  handle: (this: StreamRequestHandler) => Promise<void>,
  talk: (client: Socket, server: AnyServer) => Promise<unknown>,
): Promise<AnyServer> {
  class Handler extends StreamRequestHandler {
    override handle() {
      return handle.call(this);
    }
  }
  const server = new module.AsyncTCPServer(LOOPBACK, Handler) as AnyServer;
  await serving(server, async () => {
    using client = await connectTo(server);
    await talk(client, server);
  });
  return server;
}

Deno.test("waitForRequest() is true for bytes that rfile has, and reads none", async () => {
  const results: unknown[] = [];
  await withClient(async function () {
    await this.rfile.readline();
    results.push(await this.waitForRequest());
    results.push(text(await this.rfile.readline()));
    results.push(await this.waitForRequest()); // the client sends on its own time
    results.push(text(await this.rfile.readline()));
    results.push(await this.waitForRequest());
    results.push(await this.waitForRequest());
  }, async (client, server) => {
    await client.sendall(bytes("one\ntwo\n"));
    await until(() => server.status.idle === 1);
    await client.sendall(bytes("three\n"));
    await until(() => server.status.idle === 1);
    client.close();
    await until(() => server.status.active === 0);
  });
  assertEquals(results, [true, "two\n", true, "three\n", false, false]);
});

Deno.test("waitForRequest() is true for a part of a character that a text file has", async () => {
  const results: unknown[] = [];
  const [received, drained] = [new Event(), new Event()];
  await withClient(async function () {
    using file = this.request.makefile("r");
    results.push(await file.readline());
    received.set();
    await drained.wait();
    results.push(await this.waitForRequest());
    results.push(await file.readline());
  }, async (client, server) => {
    await client.sendall(new Uint8Array([97, 10, 0xc3])); // the first byte of an umlaut
    await received.wait();
    const closing = server.serverClose();
    drained.set();
    await client.sendall(new Uint8Array([0xa4, 10]));
    assertEquals(await closing, { idle: 0, finished: 1, forced: 0 });
  });
  assertEquals(results, ["a\n", true, "\u00e4\n"]);
});

Deno.test("waitForRequest() ends after the drain has begun, but not before a byte that has arrived", async () => {
  const results: unknown[] = [];
  await withClient(async function () {
    await new Promise((aborted) =>
      this.signal.addEventListener("abort", aborted)
    );
    for (let turn = 0; turn < 300; turn++) {
      await new Promise((next) => setImmediate(next));
    }
    results.push(await this.waitForRequest());
    results.push(text(await this.rfile.readline()));
    results.push(await this.waitForRequest());
  }, async (client, server) => {
    await until(() => server.status.active === 1);
    await client.sendall(bytes("one\n"));
    const report = await server.serverClose();
    assertEquals(report, { idle: 0, finished: 1, forced: 0 });
  });
  assertEquals(results, [true, "one\n", false]);
});

Deno.test("waitForRequest() is false in the end for a client that asks on and on", async () => {
  const pings = bytes("ping\n".repeat(1000));
  await withClient(async function () {
    while (await this.waitForRequest()) {
      this.wfile.write(await this.rfile.readline());
    }
  }, async (client, server) => {
    const ended = new Event();
    const asks = (async () => {
      while (!ended.isSet) await client.sendall(pings);
    })().catch(() => {}); // the server has closed the connection
    const reads = rest(client).catch(() => {});
    await until(() => server.status.bytesIn > 10_000);
    const report = await server.serverClose(); // without a limit
    ended.set();
    assertEquals(report.forced, 0);
    await Promise.all([asks, reads]);
  });
});

Deno.test("waitForRequest() keeps the timeout of the connection, and throws its errors", async () => {
  const errors: unknown[] = [];
  await withClient(async function () {
    this.request.settimeout(0.02);
    errors.push(await this.waitForRequest().catch((error) => error));
    this.request.settimeout(0);
    errors.push(await this.waitForRequest().catch((error) => error));
    this.request.settimeout(20);
    errors.push(await this.waitForRequest().catch((error) => error));
    this.request.abort();
    errors.push(await this.waitForRequest().catch((error) => error));
  }, async (client, server) => {
    await until(() => errors.length === 2);
    client.abort();
    await until(() => server.status.active === 0);
  });
  assert(errors[0] instanceof TimeoutError, `${errors[0]}`);
  assert(errors[1] instanceof module.BlockingIOError, `${errors[1]}`);
  assert(errors[2] instanceof module.ConnectionResetError, `${errors[2]}`);
  assertStringIncludes(`${errors[3]}`, "EBADF");
});

Deno.test("waitForRequest() sends held answers before it waits", async () => {
  await withClient(async function () {
    this.wfile.write("one\n");
    while (await this.waitForRequest()) {
      this.wfile.write(await this.rfile.readline());
    }
  }, async (client) => {
    assertEquals(text(await client.recv(100)), "one\n");
    await client.sendall(bytes("two\nthree\n"));
    assertEquals(text(await client.recv(10, MSG_WAITALL)), "two\nthree\n");
  });
});

Deno.test("waitForRequest() is for connections", async () => {
  class Dual extends module.DualRequestHandler {
    override async handle() {
      await this.waitForRequest();
    }
  }
  class Plain extends BaseRequestHandler<unknown> {
    override async handle() {
      await this.waitForRequest();
    }
  }
  const udp = new module.AsyncUDPServer(LOOPBACK, Dual);
  using stderr = new Stderr();
  await serving(udp, async () => {
    using client = await connectTo(udp);
    await client.sendall(bytes("hello"));
    await until(() => udp.status.failed === 1);
  });
  assertStringIncludes(
    stderr.texts.join(),
    "Cannot wait for a request: a datagram is the whole request",
  );
  const handler = new Plain({}, ["", 0], udp as never);
  await assertRejects(
    async () => await handler.handle(),
    TypeError,
    "Cannot wait for a request: the request is no socket",
  );
});

Deno.test("a handler that fails after its wait has ended is not idle", async () => {
  using stderr = new Stderr();
  class Fails extends StreamRequestHandler {
    override async handle() {
      await this.waitForRequest();
      throw new Error("after the wait");
    }
  }
  const server = new module.AsyncTCPServer(LOOPBACK, Fails);
  const served = server.serveForever();
  using client = await createConnection(server.serverAddress);
  await until(() => server.status.idle === 1);
  const report = await within(server.serverClose());
  assertEquals(report, { idle: 0, finished: 1, forced: 0 });
  assertEquals(server.status.failed, 1);
  assertEquals(stderr.texts.length, 1);
  await within(served);
  client.close();
});
