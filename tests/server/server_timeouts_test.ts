/** The time limits of requests, in all ways to run them. */

import * as module from "../../mod.ts";
import {
  type Address,
  AsyncTCPServer,
  type LimitName,
  OSError,
  ProxyProtocolMixIn,
  type RequestHandlerConstructor,
  SHUT_WR,
  type Socket,
  TimeoutError,
} from "../../mod.ts";
import { assertEquals, assertInstanceOf, delay, fakeTime } from "../deps.ts";
import { haveUnix, mayFork, mayRead, unstableNet } from "../helpers/allowed.ts";
import { bytes, text } from "../helpers/bytes.ts";
import { connectTo } from "../helpers/clients.ts";
import {
  type AnyServerClass,
  EchoLine,
  LOOPBACK,
  serving,
} from "../helpers/servers.ts";
import { newPath } from "../helpers/sockets.ts";
import { serverContext } from "../helpers/ssl.ts";
import { FrozenClock, turn } from "../helpers/turns.ts";
import { until, within } from "../helpers/within.ts";
import { connectTls } from "../ssl/ssl_server_helpers.ts";
import {
  BlockingLines,
  WaitingLines,
  WaitingSocket,
} from "../testdata/waiting_handlers.ts";
import {
  BlockingHeld,
  Held,
  HeldDatagram,
} from "../testdata/limit_handlers.ts";

/** A way to run a server that a client can hold up. */
interface Way {
  name: string;
  Handler: RequestHandlerConstructor;
  address: Address;
  options: object;
  ignore: boolean;
}

function way(name: string, Handler: RequestHandlerConstructor = Held): Way {
  const ignore = name.startsWith("Threading") && !mayRead ||
    name.startsWith("Forking") && !mayFork ||
    name.includes("Unix") && !haveUnix ||
    name.includes("UnixDatagram") && !unstableNet;
  const address = name.includes("Unix") ? newPath() : LOOPBACK;
  const options = { maxWorkers: 1, maxChildren: 3 };
  return { name, Handler, address, options, ignore };
}

const WAYS: Way[] = [
  way("TCPServer"),
  way("AsyncTCPServer"),
  way("ThreadingTCPServer"),
  way("ForkingTCPServer"),
  way("AsyncUnixStreamServer"),
  way("ForkingUnixStreamServer"),
];
const BLOCKING = way("ThreadingTCPServer", BlockingHeld);
const TLS = ["AsyncTCPServer", "ThreadingTCPServer", "ForkingTCPServer"]
  .map((name) => way(name));

/** A server that keeps what its hooks hear. */
function noting(name: string) {
  const Server = (module as unknown as Record<string, AnyServerClass>)[name];
  return class extends Server {
    readonly errors: unknown[] = [];
    readonly heard: [limit: LimitName, client: Address | null][] = [];
    override handleLimit(limit: LimitName, client: Address | null) {
      this.heard.push([limit, client]);
    }
    override handleError(_request: unknown, _from: Address, error: unknown) {
      this.errors.push(error);
    }
  };
}

type Noting = InstanceType<ReturnType<typeof noting>>;

/** Holds a server up: sends a byte now and then, or reads nothing. Resolves when the connection has ended. */
async function hold(client: Socket, how: string): Promise<void> {
  try {
    if (how !== "silent") await client.sendall(bytes(how));
    while (how === "r") {
      client.settimeout(0.02);
      await client.sendall(bytes("x"));
      const end = await client.recv(1).catch((error) => {
        if (!(error instanceof TimeoutError)) throw error;
      });
      if (end !== undefined) return;
    }
    if (how === "s") return; // reads nothing, and closes with the test
    await client.recv(1);
  } catch (error) {
    if (!(error instanceof OSError)) throw error; // a reset
  }
}

/** Holds a server up until the requests are over a limit, and looks at what the server says of it. */
async function exceed(
  server: Noting,
  hows: string[],
  connect: () => Promise<Socket>,
  limit: LimitName,
  reason: string,
  others = 0,
): Promise<void> {
  const before = server.status.limits[limit];
  const clients = await Promise.all(hows.map(connect));
  const held = clients.map((client, at) => hold(client, hows[at]));
  await until(() => server.errors.length === hows.length);
  await within(Promise.all(held));
  await until(() => server.status.active === others);
  for (const error of server.errors) {
    assertInstanceOf(error, TimeoutError);
    const [, said] = error.message.split(": ");
    assertEquals(error.code, "ETIMEDOUT", "code");
    assertEquals(said, `${reason} (ETIMEDOUT)`, "said");
  }
  const names = clients.map((client) => client.getsockname());
  const order = (heard: unknown) => JSON.stringify(heard);
  assertEquals(
    server.heard.map(order).sort(),
    names.map((name) => order([limit, name])).sort(),
  );
  assertEquals(server.status.limits[limit] - before, hows.length);
  for (const client of clients) client.close();
  server.errors.length = server.heard.length = 0;
}

/** Runs the handler once, so that a worker or a child has started. */
async function warmUp(
  server: Noting,
  connect: () => Promise<Socket>,
): Promise<void> {
  using client = await connect();
  await client.sendall(bytes("e"));
  await within(client.recv(1), 60_000).catch(() => {});
  await until(() => server.status.active === 0);
}

const REQUEST = "the request took longer than requestTimeout, 0.3 s";
const IDLE = "no byte came or went for idleTimeout, ";

for (const { name, Handler, address, options, ignore } of [...WAYS, BLOCKING]) {
  const one = name === "TCPServer" || Handler === BlockingHeld;
  Deno.test({
    name:
      `${name} ends ${Handler.name} at requestTimeout, one that reads, that sends, that waits, and if idle at idleTimeout`,
    ignore,
    async fn() {
      await serving(
        new (noting(name))(address, Handler, options),
        async (server) => {
          await warmUp(server, () => connectTo(server));
          await endLong(server, one, name === "TCPServer");
          await endIdle(server, one);
        },
      );
    },
  });
}

/** Ends requests of a server at requestTimeout: one at a time, together, or both. */
async function endLong(
  server: Noting,
  one: boolean,
  plain: boolean,
): Promise<void> {
  const connect = () => connectTo(server);
  server.requestTimeout = 0.3;
  const together = one ? [["r"], ["s"], ["w"]] : [];
  if (!plain) together.push(["r", "s", "w"]); // two of them may wait for a worker
  for (const hows of together) {
    await exceed(server, hows, connect, "requestTimeout", REQUEST);
  }
  server.requestTimeout = null;
  await warmUp(server, connect);
}

/** Closes the connections of a server that are idle at idleTimeout, and no busy one. */
async function endIdle(server: Noting, one: boolean): Promise<void> {
  const connect = () => connectTo(server);
  const kept = one ? [] : [await connect()];
  const busy = kept.map((client) => hold(client, "r"));
  const seconds = one ? 0.3 : 5; // longer than a busy machine keeps the busy client from sending
  server.idleTimeout = seconds;
  const reason = `${IDLE}${seconds} s`;
  const together = one ? [["silent"], ["w"], ["s"]] : [["silent", "w", "s"]];
  for (const hows of together) {
    await exceed(server, hows, connect, "idleTimeout", reason, kept.length);
  }
  assertEquals(server.status.active, kept.length, "those that go on");
  server.idleTimeout = null;
  for (const client of kept) await client.shutdown(SHUT_WR).catch(() => {});
  await Promise.all(busy.map((ended) => within(ended)));
  for (const client of kept) client.close();
  await until(() => server.status.active === 0);
}

for (
  const { name, Handler, options, ignore } of [
    way("TCPServer", WaitingLines),
    way("AsyncTCPServer", WaitingLines),
    way("AsyncTCPServer", WaitingSocket),
    way("ThreadingTCPServer", WaitingLines),
    way("ThreadingTCPServer", BlockingLines),
    way("ForkingTCPServer", WaitingLines),
  ]
) {
  Deno.test({
    name:
      `${name} ends a waitForRequest() of ${Handler.name} at idleTimeout, and reports nothing`,
    ignore,
    async fn() {
      const server = new (noting(name))(LOOPBACK, Handler, options);
      await serving(server, async () => {
        using client = await connectTo(server);
        using file = client.makefile("rb");
        assertEquals(text(await within(file.readline(), 60_000)), "hello\n");
        await until(() => server.status.idle === 1); // it waits, and does not only begin to
        server.idleTimeout = 0.2;
        assertEquals(text(await within(file.readline())), "");
        await until(() => server.status.active === 0);
        assertEquals(server.heard, [["idleTimeout", client.getsockname()]]);
        const { finished, failed } = server.status;
        assertEquals(server.errors, [], "errors");
        assertEquals(finished, 1, "finished");
        assertEquals(failed, 0, "failed");
      });
    },
  });
}

for (const { name, Handler, options, ignore } of TLS) {
  Deno.test({
    name: `${name} with TLS ends requests at requestTimeout`,
    ignore,
    async fn() {
      const server = new (noting(name))(LOOPBACK, Handler, {
        ...options,
        ssl: serverContext(),
      });
      await serving(server, async () => {
        const connect = () => connectTls(server);
        await warmUp(server, connect);
        const limits: ["requestTimeout" | "idleTimeout", string[], string][] = [
          ["requestTimeout", ["r", "w"], REQUEST],
          ["idleTimeout", ["w", "w"], `${IDLE}0.3 s`],
        ];
        for (const [limit, hows, reason] of limits) {
          const clients = await Promise.all(hows.map(connect));
          server[limit] = 0.3; // after the handshakes, however long they take
          const connected = () => Promise.resolve(clients.shift()!);
          await exceed(server, hows, connected, limit, reason);
          server[limit] = null;
        }
        await warmUp(server, connect);
      });
    },
  });
}

for (
  const name of [
    "AsyncUDPServer",
    "ThreadingUDPServer",
    "ForkingUDPServer",
    "UDPServer",
    "AsyncUnixDatagramServer",
  ]
) {
  const { address, options, ignore } = way(name);
  Deno.test({
    name: `${name} aborts the signal of a handler at requestTimeout`,
    ignore,
    async fn() {
      const server = new (noting(name))(address, HeldDatagram, options);
      await serving(server, async () => {
        using client = await connectTo(server);
        await client.sendall(bytes("now"));
        await within(client.recv(100), 60_000); // the worker or the child has started
        await until(() => server.status.active === 0);
        server.requestTimeout = 0.05;
        for (const count of [1, 2]) {
          await client.sendall(bytes("x"));
          assertEquals(
            text(await within(client.recv(1000), 60_000)),
            "TimeoutError: Cannot handle: the request took longer than requestTimeout, 0.05 s (ETIMEDOUT)",
          );
          assertEquals(server.heard.length, count);
        }
        assertEquals(server.heard[0], ["requestTimeout", client.getsockname()]);
        assertEquals(server.errors, []);
        await until(() => server.status.active === 0);
      });
    },
  });
}

Deno.test("requestTimeout holds for open requests too, from its change on, and a longer or no limit as well", async () => {
  const server = new (noting("AsyncTCPServer"))(LOOPBACK, Held);
  await serving(server, async () => {
    using client = await connectTo(server);
    await client.sendall(bytes("r"));
    await until(() => server.status.active === 1);
    server.requestTimeout = 0.05;
    server.requestTimeout = null;
    await delay(100); // longer than the limit before: nothing happens
    assertEquals(server.errors.length, 0, "errors");
    assertEquals(server.requestTimeout, null, "requestTimeout");
    server.requestTimeout = 1000.5;
    server.requestTimeout = 0.05; // shorter than the time that has passed, or almost
    await hold(client, "r");
    await until(() => server.errors.length === 1);
    assertEquals(server.heard, [["requestTimeout", client.getsockname()]]);
  });
});

Deno.test("requestTimeout and idleTimeout leave a PROXY header to its own limit, also if they are set meanwhile", async () => {
  const Base = noting("AsyncTCPServer") as unknown as typeof AsyncTCPServer;
  const server = new (ProxyProtocolMixIn(Base))(LOOPBACK, EchoLine, {
    proxyTrusted: ["127.0.0.1"],
  });
  await serving(server, async () => {
    using client = await connectTo(server);
    await until(() => server.status.active === 1);
    server.requestTimeout = 0.05;
    server.idleTimeout = 0.05;
    await delay(200); // longer than both limits: nothing happens
    assertEquals((server as unknown as Noting).heard, []);
    await client.sendall(bytes("PROXY UNKNOWN\r\nhello\n"));
    assertEquals(text(await within(client.recv(100))), "hello\n");
  });
});

Deno.test({
  name:
    "a request that waits for a worker ends at requestTimeout, also if the worker computes without an end",
  ignore: !mayRead,
  async fn() {
    const Server = noting("ThreadingTCPServer");
    const options: object = { maxWorkers: 1 };
    const server = new Server(LOOPBACK, BlockingHeld, options);
    const served = server.serveForever();
    using computes = await connectTo(server);
    await computes.sendall(bytes("c"));
    await until(() => server.status.bytesIn === 1, 60_000);
    using waits = await connectTo(server);
    await until(() => server.status.active === 2);
    server.requestTimeout = 0.05;
    await hold(waits, "silent");
    await until(() => server.errors.length === 1);
    await until(() => server.status.active === 1);
    const report = await within(server.serverClose({ timeout: 0 }));
    assertEquals(report, { idle: 0, finished: 0, forced: 1 });
    await served;
  },
});

Deno.test("requestTimeout does not end requests that are quick, however many come on", async () => {
  await serving(
    new AsyncTCPServer(LOOPBACK, EchoLine, { requestTimeout: 2 }), // more than a request takes on a busy machine
    async (server) => {
      const end = performance.now() + 2200;
      while (performance.now() < end) {
        using client = await connectTo(server);
        await client.sendall(bytes("hel"));
        await delay(50); // the request is under way whenever two seconds are over
        await client.sendall(bytes("lo\n"));
        assertEquals(text(await within(client.recv(100))), "hello\n");
      }
      assertEquals(server.status.limits.requestTimeout, 0);
    },
  );
});

Deno.test("idleTimeout spares a connection whose bytes came while another handler kept the event loop busy", async () => {
  await serving(new AsyncTCPServer(LOOPBACK, EchoLine), async (server) => {
    using client = await connectTo(server);
    await until(() => server.status.active === 1);
    using clock = new FrozenClock();
    using time = await fakeTime();
    server.idleTimeout = 60;
    clock.advance(8000);
    time.tick(8000);
    for (let turns = 0; turns < 99; turns++) await turn(); // the server has seen the connection idle
    client.sendall(bytes("hello\n"));
    clock.advance(60_000);
    time.tick(60_000);
    assertEquals(text(await client.recv(100)), "hello\n");
    assertEquals(server.status.limits.idleTimeout, 0);
  });
});
