/** The limits of a server: a counter and a call of `handleLimit` for each time that one is reached. */

import * as module from "../../mod.ts";
import {
  type Address,
  AsyncTCPServer,
  AsyncUDPServer,
  AsyncUnixDatagramServer,
  ForkingTCPServer,
  type InetAddress,
  type LimitName,
  ProxyProtocolMixIn,
  type ServerStatus,
  type Socket,
  StreamRequestHandler,
  TCPServer,
  ThreadingTCPServer,
  UDPServer,
} from "../../mod.ts";
import {
  assertEquals,
  assertGreater,
  assertStringIncludes,
  assertThrows,
} from "../deps.ts";
import {
  granted,
  haveUnix,
  mayFork,
  mayRead,
  unstableNet,
} from "../helpers/allowed.ts";
import { bytes, text } from "../helpers/bytes.ts";
import { ask, connectTo } from "../helpers/clients.ts";
import { Stderr } from "../helpers/reports.ts";
import {
  type AnyServerClass,
  EchoLine,
  LOOPBACK,
  serving,
} from "../helpers/servers.ts";
import { newPath, nodeUdp } from "../helpers/sockets.ts";
import { serverContext } from "../helpers/ssl.ts";
import { until, within } from "../helpers/within.ts";
import * as H from "../testdata/handlers.ts";
import {
  BlockingShortLines,
  DatagramSize,
  DualShortLines,
  ShortLines,
} from "../testdata/limit_handlers.ts";

/** The ways to run. */
const WAYS = [
  TCPServer,
  AsyncTCPServer,
  ThreadingTCPServer,
  ForkingTCPServer,
] as unknown as AnyServerClass[];

/** Reports whether a server cannot run here. */
function missing({ name }: AnyServerClass): boolean {
  return /^Thread/.test(name) && !mayRead || /^Fork/.test(name) && !mayFork;
}

/** Values that a setting refuses, and what it says. */
const REFUSED: [limit: string, value: unknown, message: string][] = [
  ...[0, -1, NaN, "5", null].map((value): [string, unknown, string] => [
    "maxAcceptRate",
    value,
    `Cannot set maxAcceptRate: it must be a positive number, or Infinity, got ${
      Deno.inspect(value)
    }`,
  ]),
];

for (const limit of ["requestTimeout", "idleTimeout"]) {
  for (const value of [0, -1, NaN, Infinity, "5", {}]) {
    REFUSED.push([
      limit,
      value,
      `Cannot set ${limit}: it must be positive seconds or null, got ${
        Deno.inspect(value)
      }`,
    ]);
  }
}

REFUSED.push(
  [
    "maxPacketSize",
    -1,
    "Cannot set maxPacketSize: the number of bytes must not be negative, got -1",
  ],
  [
    "maxPacketSize",
    "5",
    "Cannot set maxPacketSize: the number of bytes must be",
  ],
);

/** Returns the counters of the limits that were reached. */
function reached({ limits }: ServerStatus): Record<string, number> {
  const hits = Object.entries(limits).filter(([, count]) => count > 0);
  return Object.fromEntries(hits);
}

/** A server that keeps what its hook hears. */
class Noting extends AsyncTCPServer {
  readonly heard: [limit: LimitName, client: Address | null][] = [];
  override handleLimit(limit: LimitName, client: Address | null) {
    this.heard.push([limit, client]);
  }
}

Deno.test("AsyncTCPServer counts the clients that it turns away at a cap, and names them", async () => {
  for (const cap of ["maxConnections", "maxConnectionsPerClient"] as const) {
    const options = { [cap]: 1, maxConnectionsPolicy: "reject" } as const;
    await serving(new Noting(LOOPBACK, EchoLine, options), async (server) => {
      assertEquals(reached(server.status), {});
      using _first = await connectTo(server);
      for (const count of [1, 2]) {
        using client = await connectTo(server);
        assertEquals((await within(client.recv(1))).length, 0);
        assertEquals(reached(server.status), { [cap]: count });
        assertEquals(server.heard.at(-1), [cap, client.getsockname()]);
      }
      const { limits, rejected } = server.status;
      assertEquals(limits[cap], 2, "reached");
      assertEquals(rejected, 2, "rejected");
      assertEquals(server.heard.length, 2, "heard");
    });
  }
});

Deno.test("AsyncTCPServer counts each time that it stops accepting at maxConnections", async () => {
  class Ticking extends Noting {
    ticks = 0;
    override serviceActions() {
      this.ticks++;
    }
  }
  const server = new Ticking(LOOPBACK, EchoLine, { maxConnections: 1 });
  await serving(server, async () => {
    for (const count of [1, 2]) {
      using _client = await connectTo(server);
      await until(() => server.status.limits.maxConnections === count);
      const ticks = server.ticks + 3;
      await until(() => server.ticks > ticks); // to wait longer counts nothing
      assertEquals(reached(server.status), { maxConnections: count });
      assertEquals(server.heard.length, count);
      assertEquals(server.heard.at(-1), ["maxConnections", null]);
    }
  }, { pollInterval: 0.01 });
});

Deno.test("AsyncTCPServer counts no limit while it is suspended", async () => {
  await using server = new Noting(LOOPBACK, EchoLine, { timeout: 0.01 });
  using _client = await connectTo(server);
  await within(server.handleRequest());
  server.suspend();
  await within(server.handleRequest());
  assertEquals(server.status.accepted, 1);
  assertEquals(reached(server.status), {});
});

Deno.test("status.limits is a snapshot", async () => {
  await using server = new Noting(LOOPBACK, EchoLine, { maxConnections: 1 });
  const before = server.status.limits;
  const served = server.handleRequest();
  using client = await connectTo(server);
  const next = server.handleRequest().catch(() => {});
  await until(() => server.status.limits.maxConnections === 1);
  assertEquals(before.maxConnections, 0);
  client.close();
  await within(served);
  await within(server.serverClose());
  await within(next);
});

Deno.test("AsyncTCPServer counts a handshake beyond its time limit, and no other failure", async () => {
  const ssl = serverContext();
  await serving(new Noting(LOOPBACK, EchoLine, { ssl }), async (server) => {
    using hasty = await connectTo(server);
    hasty.close();
    await until(() => server.status.handshakeErrors === 1);
    assertEquals(reached(server.status), {});
    ssl.handshakeTimeout = 0.05; // for the handshakes that begin from now on
    using slow = await connectTo(server);
    await within(slow.recv(1));
    await until(() => server.status.handshakeErrors === 2);
    assertEquals(reached(server.status), { handshakeTimeout: 1 });
    assertEquals(server.heard, [["handshakeTimeout", slow.getsockname()]]);
  });
});

Deno.test("AsyncTCPServer.handleLimit() that fails is printed, and the server goes on", async () => {
  class Failing extends AsyncTCPServer {
    override handleLimit(_: LimitName, client: Address | null): Promise<void> {
      const error = new Error(client === null ? "sync" : "async");
      if (client === null) throw error;
      return Promise.reject(error);
    }
  }
  const server = new Failing(LOOPBACK, EchoLine, { maxConnections: 1 });
  using stderr = new Stderr();
  await serving(server, async () => {
    using _first = await connectTo(server);
    await until(() => stderr.texts.length === 1);
    server.maxConnectionsPolicy = "reject"; // wakes the loop
    using second = await connectTo(server);
    await within(second.recv(1));
    await until(() => stderr.texts.length === 2);
    assertStringIncludes(stderr.texts[0], "Error: sync");
    assertStringIncludes(stderr.texts[1], "Error: async");
    assertEquals(server.status.limits.maxConnections, 2);
  });
});

for (const Server of WAYS) {
  Deno.test({
    name:
      `${Server.name} accepts no faster than maxAcceptRate, and lets clients queue`,
    ignore: missing(Server),
    async fn() {
      const heard: (Address | null)[] = [];
      class Limited extends Server {
        override handleLimit(limit: LimitName, client: Address | null) {
          assertEquals(limit, "maxAcceptRate");
          heard.push(client);
        }
        override verifyRequest() {
          return false; // a worker or a child takes longer to start than clients wait for the limit
        }
      }
      const options = { maxAcceptRate: 5 };
      await serving(new Limited(LOOPBACK, H.Echo, options), async (server) => {
        const clients: Socket[] = [];
        const connect = async () => void clients.push(await connectTo(server));
        const start = performance.now();
        await Promise.all(Array.from({ length: 8 }, connect));
        await until(() => server.status.accepted === 8);
        assertGreater(performance.now() - start, 550); // a burst of 5, and 3 later
        const { maxAcceptRate } = server.status.limits;
        assertGreater(maxAcceptRate, 0);
        assertEquals(heard, new Array(maxAcceptRate).fill(null));
        server.maxAcceptRate = 0.001;
        await connect();
        await until(() => server.status.accepted === 9); // the burst
        const waited = server.status.limits.maxAcceptRate;
        await connect();
        await until(() => server.status.limits.maxAcceptRate > waited);
        assertEquals(server.status.accepted, 9);
        server.maxAcceptRate = Infinity; // ends the wait
        await until(() => server.status.accepted === 10);
        for (const client of clients) client.close();
      });
    },
  });
}

Deno.test("AsyncTCPServer stops and closes at once while clients wait for maxAcceptRate", async () => {
  const server = new Noting(LOOPBACK, EchoLine, { maxAcceptRate: 0.001 });
  for (const stop of ["shutdown", "serverClose"] as const) {
    const served = server.serveForever();
    using _first = await connectTo(server);
    using _second = await connectTo(server);
    await until(() => server.status.limits.maxAcceptRate > 0);
    using _third = await connectTo(server);
    const stopped = stop === "shutdown"
      ? server.shutdown()
      : server.serverClose({ timeout: 0 });
    await within<unknown>(stopped, 5000);
    await within(served, 5000);
  }
  assertEquals(server.status.accepted, 1);
});

Deno.test("TCPServer.handleRequest() waits for maxAcceptRate, and no longer than its timeout", async () => {
  let late = 0;
  class Once extends TCPServer {
    override handleTimeout() {
      late++;
    }
  }
  await using server = new Once(LOOPBACK, EchoLine, {
    maxAcceptRate: 0.01,
    timeout: 0.02,
  });
  for (const accepted of [1, 1]) {
    const answer = ask(server, "hello\n").catch(() => {});
    do await within(server.handleRequest()); while (
      server.status.accepted < accepted
    );
    if (late === 0) await answer;
  }
  assertEquals(server.status.accepted, 1, "accepted");
  assertEquals(server.status.limits.maxAcceptRate, 1, "maxAcceptRate");
  assertGreater(late, 0);
  server.maxAcceptRate = 1000;
  while (server.status.accepted < 2) await within(server.handleRequest());
});

Deno.test("a server refuses limits that are none, at its creation and later", async () => {
  await using server = new AsyncTCPServer(LOOPBACK, EchoLine);
  await using datagrams = new AsyncUDPServer(LOOPBACK, H.Datagram);
  for (const [limit, value, message] of REFUSED) {
    const Class = typeof value === "number" ? RangeError : TypeError;
    const options = { [limit]: value };
    assertThrows(
      () => new AsyncTCPServer(LOOPBACK, EchoLine, options),
      Class,
      message,
    );
    assertThrows(() => Object.assign(server, options), Class, message);
  }
  for (const options of [{ maxAcceptRate: 5 }, { idleTimeout: 5 }]) {
    const message = `Cannot set ${
      Object.keys(options)
    }: it is for servers of streams, and this one is for datagrams`;
    assertThrows(
      () => new AsyncUDPServer(LOOPBACK, H.Datagram, options),
      TypeError,
      message,
    );
    assertThrows(() => Object.assign(datagrams, options), TypeError, message);
  }
  datagrams.maxAcceptRate = Infinity;
  assertEquals(server.maxAcceptRate, Infinity, "serverMaxAcceptRate");
  assertEquals(datagrams.maxAcceptRate, Infinity, "datagramsMaxAcceptRate");
});

for (
  const [Server, Handler] of [
    ...WAYS.map((Server) => [Server, ShortLines] as const),
    [WAYS[1], DualShortLines] as const,
    [WAYS[2], BlockingShortLines] as const,
  ]
) {
  Deno.test({
    name:
      `${Server.name} counts the lines that are too long for ${Handler.name}`,
    ignore: missing(Server),
    async fn() {
      const heard: [LimitName, Address | null][] = [];
      class Hearing extends Server {
        override handleLimit(limit: LimitName, client: Address | null) {
          heard.push([limit, client]);
        }
        override handleError() {}
      }
      const options: object = { maxWorkers: 1, maxChildren: 1 };
      await serving(new Hearing(LOOPBACK, Handler, options), async (server) => {
        using client = await connectTo(server);
        await using file = client.makefile("rw");
        const say = async (line: string) => {
          await file.write(`${line}\n`);
          await file.flush();
          return await within(file.readline(), 60_000);
        };
        assertEquals(await say("1234567"), "1234567\n");
        const answer = Handler === DualShortLines ? "" : "500\n";
        assertEquals(await say("12345678"), answer);
        const own: [LimitName, Address][] = [[
          "lineLimit",
          client.getsockname(),
        ]];
        await until(() => heard.length === 1);
        assertEquals(heard, own);
        if (answer !== "") assertEquals(await say("x".repeat(100)), answer);
        const count = answer === "" ? 1 : 2;
        await until(() => server.status.limits.lineLimit === count);
        assertEquals(reached(server.status), { lineLimit: count });
      });
    },
  });
}

Deno.test("a limit that a program gives a read of its own is none of the server's", async () => {
  class Own extends StreamRequestHandler {
    override async handle() {
      await this.rfile.readuntil("\n", { limit: 4 }).catch(() => {});
      await this.rfile.readuntil(";").catch(() => {});
    }
    override lineLimit = 8;
  }
  await serving(new Noting(LOOPBACK, Own), async (server) => {
    using client = await connectTo(server);
    await client.sendall(new Uint8Array(20));
    await within(client.recv(1)).catch(() => {});
    await until(() => server.status.active === 0);
    assertEquals(reached(server.status), { lineLimit: 1 }); // of the second read
  });
});

for (
  const name of [
    "UDPServer",
    "AsyncUDPServer",
    "ThreadingUDPServer",
    "ForkingUDPServer",
    "AsyncUnixDatagramServer",
  ]
) {
  const Server = (module as unknown as Record<string, AnyServerClass>)[name];
  Deno.test({
    name:
      `${name} counts the datagrams that are longer than maxPacketSize, and handles their beginning`,
    ignore: missing(Server) ||
      name.includes("Unix") && (!haveUnix || !unstableNet),
    async fn() {
      const heard: [LimitName, Address | null][] = [];
      class Hearing extends Server {
        override handleLimit(limit: LimitName, client: Address | null) {
          heard.push([limit, client]);
        }
      }
      const address = name.includes("Unix") ? newPath() : LOOPBACK;
      const options = { maxPacketSize: 5, maxWorkers: 1, maxChildren: 1 };
      await serving(
        new Hearing(address, H.Datagram, options),
        async (server) => {
          using client = await connectTo(server);
          const say = async (question: string) => {
            await client.sendall(bytes(question));
            return text(await within(client.recv(100), 60_000));
          };
          assertEquals(await say("12345"), "12345");
          assertEquals(server.status.limits.maxPacketSize, 0);
          assertEquals(await say("123456"), "12345");
          assertEquals(await say("1234567"), "12345");
          server.maxPacketSize = 7;
          assertEquals(await say("1234567"), "1234567");
          assertEquals(reached(server.status), { maxPacketSize: 2 });
          assertEquals(
            heard,
            new Array(2).fill(["maxPacketSize", client.getsockname()]),
          );
        },
      );
    },
  });
}

Deno.test("UDPServer counts a truncated datagram over node:dgram, and that of a getRequest() that waits", async () => {
  class Hearing extends UDPServer {
    override serverBind() {
      this.socket = nodeUdp();
      this.serverAddress = this.socket.getsockname() as InetAddress;
    }
  }
  await using server = new Hearing(LOOPBACK, H.Datagram, { maxPacketSize: 5 });
  using client = await connectTo(server);
  for (const count of [1, 2]) {
    const waiting = server.getRequest();
    await client.sendall(bytes("123456"));
    const [[packet]] = await within(Promise.resolve(waiting));
    assertEquals(text(packet), "12345", "packet");
    assertEquals(server.status.limits.maxPacketSize, count, "maxPacketSize");
  }
});

Deno.test({
  name:
    "AsyncUnixDatagramServer counts a datagram that is longer than a socket can receive",
  ignore: !haveUnix || !unstableNet,
  async fn() {
    const server = new AsyncUnixDatagramServer(newPath(), DatagramSize, {
      maxPacketSize: 100_000,
    });
    await serving(server, async () => {
      using client = await connectTo(server);
      for (const [size, count] of [[65_536, 0], [65_537, 1], [80_000, 2]]) {
        await client.sendall(new Uint8Array(size));
        assertEquals(text(await within(client.recv(100))), "65536");
        assertEquals(server.status.limits.maxPacketSize, count);
      }
    });
  },
});

Deno.test({
  name: "docs/guide.md lists the limits and their defaults",
  ignore: !granted("read"),
  async fn() {
    const url = new URL("../../docs/guide.md", import.meta.url);
    const [, section] = (await Deno.readTextFile(url)).split("\n## Limits\n");
    const rows = [
      ...section.split("\n## ")[0].matchAll(/^\| `(\w+)` +\| (.+?) +\|/gm),
    ];
    await using server = new AsyncTCPServer(LOOPBACK, EchoLine);
    const { handshakeTimeout } = serverContext();
    const request = {} as Socket;
    const { lineLimit } = new StreamRequestHandler(request, LOOPBACK, server);
    const { maxPacketSize } = AsyncUDPServer;
    const settings: Record<string, unknown> = {
      ...server.options,
      handshakeTimeout,
      proxyTimeout: ProxyProtocolMixIn(TCPServer).proxyTimeout,
      lineLimit,
      maxPacketSize,
    };
    const table = Object.keys(server.status.limits).map((
      limit,
    ) => [limit, settings[limit]]);
    const value = (text: string) =>
      text === "`Infinity`"
        ? Infinity
        : text === "`null`"
        ? null
        : parseInt(text.replaceAll(",", ""));
    assertEquals(rows.map(([, limit, text]) => [limit, value(text)]), table);
  },
});
