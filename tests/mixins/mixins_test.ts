/** The mix-ins: concurrent requests, and their limits. */

import { StreamRequestHandler } from "../../handlers.ts";
import {
  AsyncMixIn,
  AsyncTCPServer,
  AsyncUDPServer,
  AsyncUnixDatagramServer,
  AsyncUnixStreamServer,
  type MixInOptions,
} from "../../mixins.ts";
import { TCPServer, UDPServer } from "../../server.ts";
import type { Address } from "../../socket.ts";
import { AF_INET, SHUT_WR, Socket } from "../../socket.ts";
import { assertEquals, assertInstanceOf, assertThrows } from "../deps.ts";
import { haveUnix, unstableNet } from "../helpers/allowed.ts";
import { bytes, text } from "../helpers/bytes.ts";
import { ask, connectTo } from "../helpers/clients.ts";
import {
  EchoDatagram,
  EchoLine,
  LOOPBACK,
  serving,
} from "../helpers/servers.ts";
import { newPath } from "../helpers/sockets.ts";
import { endOfTurn } from "../helpers/turns.ts";
import { Event, until, within } from "../helpers/within.ts";

/** Handlers that answer a line when they are released, and count themselves. */
function gated() {
  const gate = { now: 0, most: 0, changed: new Event(), release: new Event() };
  class Gated extends StreamRequestHandler {
    override async handle() {
      gate.now++;
      gate.most = Math.max(gate.most, gate.now);
      gate.changed.set();
      gate.changed = new Event();
      const line = await this.rfile.readline();
      await gate.release.wait();
      await this.wfile.write(line);
      gate.now--;
    }
  }
  const reached = async (count: number) => {
    while (gate.now < count) await gate.changed.wait();
  };
  return { gate, Gated, reached };
}

Deno.test("AsyncMixIn returns a subclass with its own name and static fields", async () => {
  const Server = AsyncMixIn(TCPServer);
  assertEquals(Server.name, "AsyncTCPServer");
  assertEquals(AsyncUDPServer.name, "AsyncUDPServer");
  assertEquals(Server.maxConnections, 1024);
  assertEquals(Server.maxConnectionsPolicy, "wait");
  assertEquals(Server.blockOnClose, true);
  assertEquals(Server.requestQueueSize, 511);
  await using server = new Server(LOOPBACK, EchoLine, { timeout: 3 });
  assertInstanceOf(server, TCPServer);
  assertEquals(server.maxConnections, 1024, "maxConnections");
  assertEquals(server.timeout, 3, "timeout");
});

Deno.test("AsyncTCPServer handles requests at the same time", async () => {
  const { gate, Gated, reached } = gated();
  await serving(new AsyncTCPServer(LOOPBACK, Gated), async (server) => {
    const answers = [1, 2, 3, 4, 5].map((i) => ask(server, `${i}\n`));
    await reached(5);
    assertEquals(server.status.active, 5);
    gate.release.set();
    assertEquals((await Promise.all(answers)).join(""), "1\n2\n3\n4\n5\n");
  });
});

Deno.test("AsyncUDPServer handles datagrams at the same time", async () => {
  const both = new Event();
  let count = 0;
  class Handler extends EchoDatagram {
    override async handle() {
      if (++count === 2) both.set();
      await both.wait();
      await super.handle();
    }
  }
  await serving(new AsyncUDPServer(LOOPBACK, Handler), async (server) => {
    const answers = [ask(server, "one"), ask(server, "two")];
    assertEquals(await Promise.all(answers), ["one", "two"]);
  });
});

for (const way of ["static", "option", "attribute"] as const) {
  Deno.test(`AsyncTCPServer.maxConnections, as ${way}, holds others in the backlog`, async () => {
    const { gate, Gated, reached } = gated();
    class WithStatic extends AsyncMixIn(TCPServer) {
      static override maxConnections = 2;
    }
    class WithAttribute extends AsyncTCPServer {
      override maxConnections = 2;
    }
    const server = way === "static"
      ? new WithStatic(LOOPBACK, Gated)
      : way === "attribute"
      ? new WithAttribute(LOOPBACK, Gated)
      : new AsyncTCPServer(LOOPBACK, Gated, { maxConnections: 2 });
    await serving(server, async () => {
      const names = Array.from({ length: 20 }, (_, i) => `client ${i}\n`);
      const answers = names.map((name) => ask(server, name));
      await reached(2);
      assertEquals(server.status.active, 2);
      gate.release.set();
      assertEquals(await Promise.all(answers), names); // the others are served later
    });
    assertEquals(gate.most, 2, "most");
    assertEquals(server.status.rejected, 0, "rejected");
    assertEquals(server.status.accepted, 20);
  });
}

Deno.test("AsyncTCPServer closes connections beyond maxConnections with the policy reject", async () => {
  const { gate, Gated, reached } = gated();
  const server = new AsyncTCPServer(LOOPBACK, Gated, {
    maxConnections: 2,
    maxConnectionsPolicy: "reject",
  });
  await serving(server, async () => {
    const answers = [ask(server, "one\n"), ask(server, "two\n")];
    await reached(2);
    for (let i = 0; i < 3; i++) assertEquals(await hello(server), "");
    assertEquals(server.status.rejected, 3);
    gate.release.set();
    assertEquals(await Promise.all(answers), ["one\n", "two\n"]);
    assertEquals(await ask(server, "three\n"), "three\n");
  });
  assertEquals(gate.most, 2, "most");
  assertEquals(server.status.accepted, 6, "accepted");
});

/** Returns the answer of a server to a silent client. */
async function hello(server: TCPServer): Promise<string> {
  using client = await connectTo(server);
  return text(await client.recv(100));
}

Deno.test("AsyncTCPServer.shutdown() ends the loop while it waits for room", async () => {
  const { gate, Gated, reached } = gated();
  const server = new AsyncTCPServer(LOOPBACK, Gated, { maxConnections: 1 });
  const served = server.serveForever();
  const first = ask(server, "first\n");
  await reached(1);
  const second = ask(server, "second\n");
  await within(server.shutdown());
  await within(served);
  assertEquals(server.status.active, 1);
  gate.release.set();
  assertEquals(await first, "first\n");
  await server.handleRequest(); // no connection of the backlog is lost
  assertEquals(await second, "second\n");
  await server.serverClose();
});

Deno.test("AsyncTCPServer.maxConnections and its policy can be changed while serving", async () => {
  const { gate, Gated, reached } = gated();
  const server = new AsyncTCPServer(LOOPBACK, Gated, { maxConnections: 1 });
  await serving(server, async () => {
    const answers = [ask(server, "1\n"), ask(server, "2\n")];
    await reached(1);
    await endOfTurn(); // the loop is waiting for room
    server.maxConnections = 2;
    await reached(2);
    const turnedAway = hello(server);
    await endOfTurn();
    server.maxConnectionsPolicy = "reject";
    assertEquals(await turnedAway, "");
    gate.release.set();
    assertEquals((await Promise.all(answers)).join(""), "1\n2\n");
  });
  assertEquals(server.maxConnectionsPolicy, "reject");
  assertThrows(() => server.maxConnections = 0, RangeError, "got 0");
  assertEquals(server.maxConnections, 2);
  server.blockOnClose = false;
  assertEquals(server.blockOnClose, false);
});

Deno.test("AsyncTCPServer.handleRequest() waits for room until its timeout", async () => {
  const { gate, Gated, reached } = gated();
  let timeouts = 0;
  class Server extends AsyncTCPServer {
    override handleTimeout() {
      timeouts++;
    }
  }
  await using server = new Server(LOOPBACK, Gated, { maxConnections: 1 });
  const first = ask(server, "first\n");
  await server.handleRequest();
  await reached(1);
  const second = ask(server, "second\n");
  server.timeout = 0.02;
  await within(server.handleRequest());
  assertEquals(timeouts, 1, "timeouts");
  assertEquals(server.status.rejected, 0, "rejected");
  server.timeout = null;
  const handled = server.handleRequest();
  gate.release.set();
  assertEquals(await first, "first\n");
  await within(handled);
  assertEquals(await second, "second\n");
});

const BAD_OPTIONS: [
  MixInOptions,
  typeof RangeError | typeof TypeError,
  string,
][] = [
  [{ maxConnections: 0 }, RangeError, "got 0"],
  [{ maxConnections: 1.5 }, RangeError, "got 1.5"],
  [{ maxConnections: NaN }, RangeError, "got NaN"],
  [{ maxConnections: "9" as never }, RangeError, "got 9"],
  [{ maxConnectionsPolicy: "drop" as never }, TypeError, "got drop"],
];

Deno.test("AsyncMixIn refuses invalid options before it binds", async () => {
  let port: number;
  {
    await using probe = new TCPServer(LOOPBACK, EchoLine);
    port = probe.serverAddress[1] as number;
  }
  for (const [options, ErrorClass, message] of BAD_OPTIONS) {
    const make = () =>
      new AsyncTCPServer(["127.0.0.1", port], EchoLine, options);
    assertThrows(make, ErrorClass, message);
    await using _free = new TCPServer(["127.0.0.1", port], EchoLine);
  }
  class Bad extends AsyncTCPServer {
    static override maxConnections = -1;
  }
  assertThrows(() => new Bad(LOOPBACK, EchoLine), RangeError, "got -1");
});

Deno.test("AsyncMixIn accepts Infinity as no limit", async () => {
  const options = { maxConnections: Infinity };
  await serving(
    new AsyncTCPServer(LOOPBACK, EchoLine, options),
    async (server) => assertEquals(await ask(server, "hello\n"), "hello\n"),
  );
});

Deno.test("AsyncTCPServer.processRequestTask() can be extended", async () => {
  const log: string[] = [];
  const ended = new Event();
  class Server extends AsyncTCPServer {
    override async processRequestTask(request: Socket, from: Address) {
      log.push("begin");
      await super.processRequestTask(request, from);
      log.push("end");
      ended.set();
    }
  }
  await serving(new Server(LOOPBACK, EchoLine), async (server) => {
    assertEquals(await ask(server, "hello\n"), "hello\n");
    await ended.wait();
  });
  assertEquals(log, ["begin", "end"]);
});

Deno.test("AsyncTCPServer.processRequestTask() that is extended counts as active until it ends", async () => {
  const gate = new Event();
  const shut = new Event();
  class Server extends AsyncTCPServer {
    override async processRequestTask(request: Socket, from: Address) {
      await super.processRequestTask(request, from);
      shut.set();
      await gate.wait();
    }
  }
  await serving(new Server(LOOPBACK, EchoLine), async (server) => {
    assertEquals(await ask(server, "hello\n"), "hello\n");
    await shut.wait();
    assertEquals(server.status.active, 1);
    gate.set();
    await until(() => server.status.active === 0);
  });
});

Deno.test("AsyncMixIn keeps the hooks of the subclass that it is applied to", async () => {
  class Choosy extends UDPServer {
    static override maxPacketSize = 3;
    override verifyRequest([packet]: [Uint8Array, Socket]) {
      return text(packet) !== "bad";
    }
  }
  class Both extends AsyncMixIn(Choosy) {
    static override maxConnections = 3;
  }
  await serving(new Both(LOOPBACK, EchoDatagram), async (server) => {
    assertEquals(server.maxPacketSize, 3);
    using client = await connectTo(server);
    for (const word of ["bad", "good"]) await client.sendall(bytes(word));
    assertEquals(text(await client.recv(100)), "goo");
    assertEquals(server.status.rejected, 1);
  });
});

/** Sends a line from an address of the loopback, and returns the answer. */
async function askFrom(
  host: string,
  { serverAddress }: { serverAddress: Address },
  line: string,
): Promise<string> {
  using socket = new Socket(AF_INET);
  socket.bind([host, 0]);
  socket.settimeout(30);
  await socket.connect(serverAddress);
  await socket.sendall(bytes(line)).catch(() => {}); // perhaps closed already
  await socket.shutdown(SHUT_WR).catch(() => {});
  using file = socket.makefile("rb");
  return text(await file.read().catch(() => new Uint8Array()));
}

for (const way of ["static", "option", "attribute"] as const) {
  Deno.test(`AsyncTCPServer.maxConnectionsPerClient, as ${way}, closes further connections of a host`, async () => {
    const { gate, Gated, reached } = gated();
    class WithStatic extends AsyncTCPServer {
      static override maxConnectionsPerClient = 2;
    }
    class WithAttribute extends AsyncTCPServer {
      override maxConnectionsPerClient = 2;
    }
    const server = way === "static"
      ? new WithStatic(LOOPBACK, Gated)
      : way === "attribute"
      ? new WithAttribute(LOOPBACK, Gated)
      : new AsyncTCPServer(LOOPBACK, Gated, { maxConnectionsPerClient: 2 });
    await serving(server, async () => {
      const taken = [1, 2].map((i) => ask(server, `${i}\n`));
      await reached(2);
      assertEquals(await askFrom("127.0.0.1", server, "third\n"), "");
      const other = askFrom("127.0.0.2", server, "another host\n");
      await reached(3);
      assertEquals(server.status.rejected, 1);
      gate.release.set();
      assertEquals(await Promise.all(taken), ["1\n", "2\n"]);
      assertEquals(await other, "another host\n");
      assertEquals(await ask(server, "room again\n"), "room again\n");
    });
    assertEquals(server.status.rejected, 1, "rejected");
    assertEquals(server.status.accepted, 5, "accepted");
  });
}

Deno.test("AsyncTCPServer.maxConnectionsPerClient can be changed, to a count only", async () => {
  for (const maxConnectionsPerClient of [0, -1, 1.5, NaN]) {
    assertThrows(
      () => new AsyncTCPServer(LOOPBACK, EchoLine, { maxConnectionsPerClient }),
      RangeError,
      `Cannot set maxConnectionsPerClient: it must be an integer from 1, or Infinity, got ${maxConnectionsPerClient}`,
    );
  }
  await using server = new AsyncTCPServer(LOOPBACK, EchoLine);
  assertEquals(server.maxConnectionsPerClient, Infinity);
  server.maxConnectionsPerClient = 3;
  assertEquals(server.maxConnectionsPerClient, 3);
  assertThrows(() => server.maxConnectionsPerClient = 0, RangeError);
  assertEquals(server.maxConnectionsPerClient, 3);
});

Deno.test({
  name:
    "AsyncUnixStreamServer.maxConnectionsPerClient does not limit unnamed clients",
  ignore: !haveUnix,
  async fn() {
    const { gate, Gated, reached } = gated();
    const options = { maxConnectionsPerClient: 1 };
    const server = new AsyncUnixStreamServer(newPath(), Gated, options);
    await serving(server, async () => {
      const answers = ["one\n", "two\n"].map((line) => ask(server, line));
      await reached(2);
      gate.release.set();
      assertEquals(await Promise.all(answers), ["one\n", "two\n"]);
    });
  },
});

Deno.test({
  name: "AsyncUnixDatagramServer.maxConnectionsPerClient counts by path",
  ignore: !haveUnix || !unstableNet,
  async fn() {
    const release = new Event();
    class Handler extends EchoDatagram {
      override async handle() {
        await release.wait();
        await super.handle();
      }
    }
    const options = { maxConnectionsPerClient: 1 };
    const server = new AsyncUnixDatagramServer(newPath(), Handler, options);
    await serving(server, async () => {
      using client = await connectTo(server);
      await client.sendall(bytes("first"));
      await client.sendall(bytes("dropped"));
      const other = ask(server, "another path");
      await until(() => server.status.accepted >= 3);
      assertEquals(server.status.rejected, 1);
      release.set();
      assertEquals(text(await client.recv(100)), "first", "first");
      assertEquals(await other, "another path", "other");
    });
  },
});
