/** The events of servers: their subscribers, and how requests, workers and children end. */

import {
  channel,
  subscribe as subscribeRaw,
  unsubscribe,
} from "node:diagnostics_channel";
import {
  AsyncTCPServer,
  BaseRequestHandler,
  DatagramRequestHandler,
  ForkingTCPServer,
  OSError,
  ProxyProtocolMixIn,
  type RequestHandlerConstructor,
  SHUT_WR,
  type Socket,
  TCPServer,
  ThreadingTCPServer,
  TimeoutError,
  UDPServer,
} from "../../mod.ts";
import {
  type RequestStopEvent,
  type ServerEvents,
  subscribe,
} from "../../telemetry.ts";
import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertStringIncludes,
  assertThrows,
} from "../deps.ts";
import { mayFork, mayRead } from "../helpers/allowed.ts";
import { bytes, text } from "../helpers/bytes.ts";
import { ask, connectTo } from "../helpers/clients.ts";
import { Stderr } from "../helpers/reports.ts";
import { EchoLine, LOOPBACK, serving } from "../helpers/servers.ts";
import { clientContext, serverContext } from "../helpers/ssl.ts";
import { Event, until, within } from "../helpers/within.ts";
import { askTls } from "../ssl/ssl_server_helpers.ts";
import { assertPaired, Events, NAMES } from "./telemetry_helpers.ts";
import { Bad } from "../testdata/bad_module.ts";
import { Dies } from "../testdata/dying_handlers.ts";
import { Asks } from "../testdata/forking_handlers.ts";

const STOP = "socketserver.request.stop";

Deno.test("subscribe() refuses a channel that does not exist", () => {
  const error = assertThrows(
    // deno-lint-ignore no-explicit-any
    () => subscribe("socketserver.request.end" as any, () => {}),
    TypeError,
  );
  assertStringIncludes(error.message, '"socketserver.request.end"');
  assertStringIncludes(error.message, STOP);
});

Deno.test("subscribe() ends when it is disposed of", async () => {
  const heard: string[] = [];
  await serving(new AsyncTCPServer(LOOPBACK, EchoLine), async (server) => {
    {
      using _ = subscribe(STOP, () => heard.push("first"));
      using _twice = subscribe(STOP, () => heard.push("second"));
      assertEquals(await ask(server, "one\n"), "one\n");
      await until(() => server.status.active === 0);
    }
    assertEquals(await ask(server, "two\n"), "two\n");
    await until(() => server.status.active === 0);
  });
  assertEquals(heard, ["first", "second"]);
  assert(NAMES.every((name) => !channel(name).hasSubscribers));
});

Deno.test("A subscriber that throws, or rejects, does no harm and is printed once", async () => {
  const heard: unknown[] = [];
  let thrown = 0;
  const server = new AsyncTCPServer(LOOPBACK, EchoLine, {
    bindAndActivate: false,
  });
  const throws = (event: unknown) => {
    if (isOf(event, server)) thrown++;
    throw new RangeError("a bad subscriber");
  };
  const rejects = async (event: unknown) => {
    if (isOf(event, server)) thrown++;
    await Promise.resolve();
    throw new RangeError("a bad promise");
  };
  const listens = (event: unknown) => {
    if (isOf(event, server)) heard.push(event);
  };
  const odd = () => {
    throw new Proxy({}, {
      get() {
        throw new Error("odd");
      },
    });
  };
  const subscribers = [throws, rejects, odd, listens];
  for (const name of NAMES) {
    for (const each of subscribers) subscribeRaw(name, each);
  }
  try {
    using stderr = new Stderr();
    server.serverBind();
    server.serverActivate();
    await serving(server, async () => {
      for (const word of ["one\n", "two\n"]) {
        assertEquals(await ask(server, word), word);
      }
      await until(() => server.status.active === 0);
    });
    // a start and a stop of the listener, and of two requests
    assertEquals(heard.length, 6);
    assertEquals(thrown, 2 * 6);
    const printed = stderr.texts.filter((line) => line.includes("bad"));
    assertEquals(printed.length, 2 * 4); // each of two, on each of four channels
    assertStringIncludes(printed[0], "socketserver.listener.start");
    assertStringIncludes(printed[0], "telemetry_test.ts");
  } finally {
    for (const name of NAMES) {
      for (const each of subscribers) unsubscribe(name, each);
    }
  }
});

Deno.test("A subscriber that comes in the middle of a request hears of later ones only", async () => {
  await serving(new AsyncTCPServer(LOOPBACK, EchoLine), async (server) => {
    using early = await connectTo(server);
    await until(() => server.status.active === 1);
    using events = new Events(server);
    using late = await connectTo(server);
    const { id } = await events.next("socketserver.request.start");
    for (const client of [early, late]) {
      await client.sendall(bytes("hello\n"));
      assertEquals(text(await client.recv(100)), "hello\n");
    }
    await until(() => server.status.active === 0);
    const stops = events.of(STOP);
    assertEquals(stops.map((stop) => stop.id), [id]);
    assertEquals(stops[0].clientAddress, late.getsockname());
  });
});

Deno.test("A subscriber that leaves in the middle of a request harms nobody", async () => {
  await serving(new AsyncTCPServer(LOOPBACK, EchoLine), async (server) => {
    const events = new Events(server);
    using client = await connectTo(server);
    await events.next("socketserver.request.start");
    events[Symbol.dispose]();
    await client.sendall(bytes("hello\n"));
    assertEquals(text(await client.recv(100)), "hello\n");
    await until(() => server.status.active === 0);
    assertEquals(events.of(STOP), []);
  });
});

Deno.test("A subscriber may unsubscribe, and close the server, within an event", async () => {
  let heard = 0;
  const closed = new Event<unknown>();
  const server = new AsyncTCPServer(LOOPBACK, EchoLine);
  const once = ({ server }: ServerEvents[typeof STOP]) => {
    heard++;
    subscription[Symbol.dispose]();
    server.serverClose().then((report) => closed.set(report));
  };
  const subscription = subscribe(STOP, once);
  const served = server.serveForever();
  assertEquals(await ask(server, "one\n"), "one\n");
  assertEquals(Object(await closed.wait()).forced, 0);
  await within(served);
  assertEquals(heard, 1);
});

/** Reports whether an event is one of a server. */
function isOf(event: unknown, server: unknown): boolean {
  return (event as { server: unknown }).server === server;
}

/** A handler that waits until the server drains, and then for longer. */
class Stays extends BaseRequestHandler {
  override async handle() {
    await new Promise((resolve) =>
      this.signal.addEventListener("abort", resolve)
    );
    await new Promise(() => {});
  }
}

Deno.test("A request that the drain cuts off ends once, as forced", async () => {
  using events = new Events();
  const server = new AsyncTCPServer(LOOPBACK, Stays);
  const served = server.serveForever();
  using client = await connectTo(server);
  await events.next("socketserver.request.start");
  await within(server.serverClose({ timeout: 0 }));
  await within(served);
  const [stop, ...more] = events.of(STOP);
  assertEquals(stop.reason, "forced", "reason");
  assertEquals(stop.clientAddress, client.getsockname(), "clientAddress");
  assertEquals(more, [], "more");
  const [{ report }] = events.of("socketserver.listener.stop");
  assertEquals(report.forced, 1);
});

/** Waits for messages, and answers none. */
class Waits extends BaseRequestHandler {
  override async handle() {
    while (await this.waitForRequest()) await this.request.recv(100);
  }
}

Deno.test("A request that waits for its next message as the server drains ends as idle", async () => {
  using events = new Events();
  const server = new AsyncTCPServer(LOOPBACK, Waits);
  const served = server.serveForever();
  using _client = await connectTo(server);
  await until(() => server.status.idle === 1);
  await within(server.serverClose({ timeout: 5 }));
  await within(served);
  assertEquals(events.of(STOP).map(({ reason }) => reason), ["idle"]);
});

/** More than the buffers of the system take. */
const BIG = 16 * 2 ** 20;

/** Leaves its answer to be sent after its end. */
class Pushes extends BaseRequestHandler {
  override handle() {
    void this.request.sendall(new Uint8Array(BIG));
  }
}

Deno.test("A request whose last bytes are on their way ends when they are sent", async () => {
  using events = new Events();
  class Hasty extends AsyncTCPServer {
    override async shutdownRequest(request: Socket) {
      await this.closeRequest(request);
    }
  }
  await serving(new Hasty(LOOPBACK, Pushes), async (server) => {
    using client = await connectTo(server);
    await until(() => server.status.finished === 1);
    assertEquals(events.of(STOP), []);
    while ((await client.recv(2 ** 20)).length > 0);
    const { bytesOut, reason } = await events.next(STOP);
    assertEquals({ bytesOut, reason }, { bytesOut: BIG, reason: "finished" });
  });
});

/** Answers a client that is turned away. */
function busy(Server: typeof TCPServer): typeof TCPServer {
  return class extends Server {
    override async rejectRequest(request: Socket) {
      await request.sendall(bytes("busy\n"));
    }
    override verifyRequest() {
      return false;
    }
  };
}

for (
  const Server of [TCPServer, AsyncTCPServer as unknown as typeof TCPServer]
) {
  Deno.test(`${Server.name} publishes why it turns a client away, with the bytes of its answer`, async () => {
    using events = new Events();
    await serving(new (busy(Server))(LOOPBACK, EchoLine), async (server) => {
      using client = await connectTo(server);
      assertEquals(text(await client.recv(100)), "busy\n");
      const stop = await events.next(STOP);
      assertEquals(stop.reason, "rejected", "reason");
      assertEquals(stop.rejected, "verifyRequest", "rejected");
      assertEquals(stop.bytesOut, 5, "bytesOut");
      assertPaired(events);
    });
  });
}

Deno.test("A limit is published with the client over it", async () => {
  using events = new Events();
  const server = new AsyncTCPServer(LOOPBACK, Stays, {
    maxConnectionsPerClient: 1,
  });
  const served = server.serveForever();
  using _first = await connectTo(server);
  await events.next("socketserver.request.start");
  using second = await connectTo(server);
  const { limit, clientAddress } = await events.next("socketserver.limit");
  assertEquals(limit, "maxConnectionsPerClient", "limit");
  assertEquals(clientAddress, second.getsockname(), "clientAddress");
  const stop = await events.next(STOP);
  assertEquals(stop.reason, "rejected", "reason");
  assertEquals(stop.rejected, limit, "rejected");
  await within(server.serverClose({ timeout: 0 }));
  await within(served);
});

Deno.test("A failure of getRequest is published with its verdict, also the one that ends the loop", async () => {
  using events = new Events();
  const errors = [
    Object.assign(new Deno.errors.ConnectionReset("gone")),
    new TypeError("broken"),
  ];
  class Failing extends AsyncTCPServer {
    override getRequest(): never {
      throw errors.shift();
    }
  }
  const server = new Failing(LOOPBACK, EchoLine);
  const served = server.serveForever().catch((error) => error);
  using _client = await connectTo(server);
  assertInstanceOf(await within(served), TypeError);
  await within(server.serverClose());
  const verdicts = events.of("socketserver.accept.error").map(
    ({ verdict, error }) => [verdict, (error as Error).message],
  );
  assertEquals(verdicts, [["transient", "gone"], ["fatal", "broken"]]);
});

Deno.test("A handshake is published with its duration, and ends the request if it fails", async () => {
  using events = new Events();
  const options = { ssl: serverContext() };
  await serving(
    new AsyncTCPServer(LOOPBACK, EchoLine, options),
    async (server) => {
      assertEquals(await askTls(server, "hello", clientContext()), "hello");
      const good = await events.next("socketserver.handshake");
      assertEquals(good.error, undefined);
      assert(good.duration > 0 && good.duration < 60);
      const { bytesIn, bytesOut, reason } = await events.next(STOP);
      assertEquals(bytesIn, 6, "bytesIn");
      assertEquals(bytesOut, 6, "bytesOut");
      assertEquals(reason, "finished", "reason");

      using client = await connectTo(server);
      await client.sendall(bytes("GET / HTTP/1.0\r\n\r\n"));
      const bad = await events.next("socketserver.handshake", 1);
      const stop = await events.next(STOP, 1);
      assertEquals(stop.reason, "handshake");
      assertEquals(stop.error, bad.error);
      assertEquals(events.of("socketserver.handler.error"), []);
      assertPaired(events);
    },
  );
});

Deno.test("A request behind a proxy has the address of its client, or fails with its header", async () => {
  using events = new Events();
  using _stderr = new Stderr();
  const server = new (ProxyProtocolMixIn(AsyncTCPServer))(LOOPBACK, EchoLine, {
    proxyTrusted: ["127.0.0.1"],
    maxConnections: 1,
    maxConnectionsPolicy: "reject",
  });
  await serving(server, async (server) => {
    using client = await connectTo(server);
    await client.sendall(bytes("PROXY TCP4 192.0.2.7 "));
    await client.sendall(bytes("192.0.2.1 4711 80\r\nhello\n"));
    assertEquals(text(await client.recv(100)), "hello\n");
    const start = await events.next("socketserver.request.start");
    const stop = await events.next(STOP);
    for (const { clientAddress } of [start, stop]) {
      assertEquals(clientAddress, ["192.0.2.7", 4711]);
    }
    assertEquals(stop.reason, "finished", "reason");
    assertEquals(stop.bytesOut, 6, "bytesOut");

    using hostile = await connectTo(server);
    await hostile.sendall(bytes("GET / HTTP/1.1\r\n\r\n"));
    const failed = await events.next(STOP, 1);
    assertEquals(failed.reason, "proxy");
    assertInstanceOf(failed.error, OSError);
    assertEquals(failed.clientAddress, hostile.getsockname());

    using holder = await connectTo(server);
    await holder.sendall(bytes("PROXY TCP4 192.0.2.8 192.0.2.1 1 80\r\n"));
    await events.next("socketserver.request.start", 2);
    using extra = await connectTo(server);
    await extra.sendall(bytes("PROXY TCP4 192.0.2.9 192.0.2.1 1 80\r\n"));
    const { reason, rejected, clientAddress } = await events.next(STOP, 2);
    assertEquals(reason, "rejected", "reason");
    assertEquals(rejected, "maxConnections", "rejected");
    assertEquals(clientAddress, ["192.0.2.9", 1]);
    await holder.sendall(bytes("x\n"));
    await events.next(STOP, 3);
    assertPaired(events);
  });
});

Deno.test("A request that takes too long is a limit, and fails with a TimeoutError", async () => {
  using events = new Events();
  using _stderr = new Stderr();
  const options = { requestTimeout: 0.05 };
  await serving(
    new AsyncTCPServer(LOOPBACK, EchoLine, options),
    async (server) => {
      using client = await connectTo(server);
      const { limit, clientAddress } = await events.next("socketserver.limit");
      assertEquals(limit, "requestTimeout", "limit");
      assertEquals(clientAddress, client.getsockname(), "clientAddress");
      const { reason, error, duration } = await events.next(STOP);
      assertEquals(reason, "failed");
      assertInstanceOf(error, TimeoutError);
      assert(duration >= 0.04, `${duration} s`);
      const [reported] = events.of("socketserver.handler.error");
      assertEquals(reported.error, error);
    },
  );
});

Deno.test("A server that is bound later, or heard later, publishes its start once", async () => {
  const server = new TCPServer(LOOPBACK, EchoLine, { bindAndActivate: false });
  using events = new Events(server);
  assertEquals(events.names, []);
  server.serverBind();
  server.serverActivate();
  await serving(server, async () => {
    assertEquals(await ask(server, "one\n"), "one\n");
  });
  await within(server.serverClose());
  const unbound = { bindAndActivate: false };
  await new TCPServer(LOOPBACK, EchoLine, unbound).serverClose();
  const life = events.names.filter((name) => name.startsWith("listener"));
  assertEquals(life, ["listener.start", "listener.stop"]);
});

Deno.test("A datagram has the bytes of its packet", async () => {
  using events = new Events();
  class Answer extends DatagramRequestHandler {
    override async handle() {
      await this.wfile.write("yes");
    }
  }
  await serving(new UDPServer(LOOPBACK, Answer), async (server) => {
    assertEquals(await ask(server, "hello"), "yes");
    const { bytesIn, bytesOut, reason } = await events.next(STOP);
    assertEquals(bytesIn, 5, "bytesIn");
    assertEquals(bytesOut, null, "bytesOut");
    assertEquals(reason, "finished", "reason");
  });
});

const SIGKILL = "SIGKILL";

/** Serves, lets a client say something or kills the child, and returns how the worker or the child has ended. */
async function endOf<N extends "worker" | "child">(
  pool: N,
  Server: typeof ThreadingTCPServer | typeof ForkingTCPServer,
  Handler: RequestHandlerConstructor,
  options: object,
  said: string,
): Promise<
  { exit: ServerEvents[`socketserver.${N}.exit`]; stop: RequestStopEvent }
> {
  using events = new Events();
  using _stderr = new Stderr();
  const server = new (Server as unknown as typeof AsyncTCPServer)(
    LOOPBACK,
    Handler,
    options,
  );
  const served = server.serveForever();
  using client = await connectTo(server);
  if (said === SIGKILL) {
    await client.sendall(bytes("pid\n")); // so that the child has the request
    Deno.kill(Number(text(await client.recv(100))), SIGKILL);
  } else await client.sendall(bytes(said));
  if (said === "hello\n") await client.shutdown(SHUT_WR);
  const exit = await events.next(`socketserver.${pool}.exit`);
  const stop = await events.next(STOP);
  assertEquals(events.of(`socketserver.${pool}.start`).length, 1);
  await within(server.serverClose({ timeout: 5 }));
  await within(served);
  assertPaired(events);
  // deno-lint-ignore no-explicit-any
  return { exit: exit as any, stop };
}

/** Makes a worker compute without an end. */
const LOOP = "loop\n";

const WORKER_ENDS: [said: string, reason: string, message?: RegExp][] = [
  ["throw\n", "crashed", /thrown outside/],
  ["exit\n", "exited"],
  [LOOP, "timeout", /no sign of life/],
];

for (const [said, reason, message] of WORKER_ENDS) {
  Deno.test({
    name: `The end of a worker by "${said.trim()}" is published as "${reason}"`,
    ignore: !mayRead,
    async fn() {
      const workerTimeout = said === LOOP ? 0.5 : null; // the others may take long
      const options = { maxWorkers: 1, workerTimeout };
      const { exit, stop } = await endOf(
        "worker",
        ThreadingTCPServer,
        Dies,
        options,
        said,
      );
      assertEquals(exit.reason, reason, "reason");
      assertEquals(exit.requests, 1, "requests");
      if (message === undefined) assertEquals(exit.error, undefined);
      else assert(message.test(String(exit.error)), String(exit.error));
      assertEquals(stop.reason, "failed");
    },
  });
}

Deno.test({
  name: "A worker that cannot load its handler is published",
  ignore: !mayRead,
  async fn() {
    const { exit } = await endOf(
      "worker",
      ThreadingTCPServer,
      Bad,
      {},
      "x",
    );
    assertEquals(exit.reason, "load");
    assertInstanceOf(exit.error, Error);
  },
});

const CHILD_ENDS: [
  said: string,
  options: object,
  end: [
    reason: string,
    code: number | null,
    signal: string | null,
    requests: number,
  ],
  stop: string,
][] = [
  ["exit 3\n", {}, ["exited", 3, null, 1], "failed"],
  [SIGKILL, {}, ["signal", null, SIGKILL, 1], "failed"],
  ["spin\n", { childTimeout: 0.5 }, ["timeout", null, SIGKILL, 1], "failed"],
  ["hello\n", { requestsPerChild: 1 }, ["retired", 0, null, 0], "finished"],
];

for (const [said, options, end, reason] of CHILD_ENDS) {
  Deno.test({
    name: `The end of a child by "${said.trim()}" is published as "${end[0]}"`,
    ignore: !mayFork,
    async fn() {
      const { exit, stop } = await endOf(
        "child",
        ForkingTCPServer,
        Asks,
        { ...options, maxChildren: 1 },
        said,
      );
      const [ended, code, signal, requests] = end;
      assertEquals(exit.reason, ended, "reason");
      assertEquals(exit.code, code, "code");
      assertEquals(exit.signal, signal, "signal");
      assertEquals(exit.requests, requests, "requests");
      assertEquals(stop.reason, reason);
      if (reason === "finished") assertEquals(stop.bytesIn, said.length);
    },
  });
}

/** The fields of each interface of an event, with those that it inherits, as the source has them. */
function fieldsOf(source: string): Map<string, string[]> {
  const fields = new Map<string, string[]>();
  const interfaces = source.matchAll(
    /^export interface (\w+)(?: extends (\w+))? \{\n([^]*?)^\}/gm,
  );
  for (const [, name, base, body] of interfaces) {
    const own = Array.from(
      body.matchAll(/^ {2}readonly (\w+):/gm),
      (m) => m[1],
    );
    fields.set(name, [...fields.get(base) ?? [], ...own]);
  }
  return fields;
}

Deno.test({
  name: "docs/telemetry.md has each channel with its fields, and no other",
  ignore: !mayRead,
  fn() {
    const read = (path: string) =>
      Deno.readTextFileSync(new URL(`../../${path}`, import.meta.url));
    const source = read("internal/stages/event_types.ts");
    const fields = fieldsOf(source);
    const interfaces = source.matchAll(
      /^ {2}"(socketserver\.[\w.]+)": (\w+);$/gm,
    );
    const expected = Array.from(
      interfaces,
      ([, name, type]) => [
        name,
        fields.get(type)!.filter((field) => field !== "server"),
      ],
    );
    assertEquals(expected.map(([name]) => name), NAMES);
    const [, table] = read("docs/telemetry.md").split("<!-- events -->");
    const rows = table.matchAll(
      /^\| `(socketserver\.[\w.]+)` *\|.*?\| (.*?) *\|$/gm,
    );
    assertEquals(
      Array.from(rows, ([, name, cell]) => [
        name,
        Array.from(cell.matchAll(/`(\w+)`/g), (match) => match[1]),
      ]),
      expected,
    );
  },
});
