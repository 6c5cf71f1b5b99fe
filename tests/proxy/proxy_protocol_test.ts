/** Servers behind a proxy: who the client is, when that is known, and what becomes of connections that do not say. */

import {
  type Address,
  AsyncMixIn,
  AsyncTCPServer,
  AsyncUnixStreamServer,
  createConnection,
  encodeProxyHeader,
  ForkingMixIn,
  ForkingTCPServer,
  ForkingUnixStreamServer,
  type InetAddress,
  OSError,
  proxyHeaderOf,
  ProxyProtocolMixIn,
  type ProxyProtocolOptions,
  SHUT_WR,
  Socket,
  StreamRequestHandler,
  TCPServer,
  ThreadingTCPServer,
  ThreadingUnixStreamServer,
} from "../../mod.ts";
import { SSLSocket } from "../../ssl.ts";
import { subscribe } from "../../telemetry.ts";
import {
  assert,
  assertEquals,
  assertSpyCalls,
  assertThrows,
  spy,
} from "../deps.ts";
import { havePython, haveUnix, mayFork, mayRead } from "../helpers/allowed.ts";
import { bytes, text } from "../helpers/bytes.ts";
import { connectTo } from "../helpers/clients.ts";
import { python } from "../helpers/python.ts";
import { Stderr } from "../helpers/reports.ts";
import {
  type AnyServerClass,
  EchoLine,
  LOOPBACK,
  serving,
} from "../helpers/servers.ts";
import { newPath } from "../helpers/sockets.ts";
import { clientContext, serverContext } from "../helpers/ssl.ts";
import { Event, until, within } from "../helpers/within.ts";
import {
  headerOf,
  hear,
  makeProxied,
  type NotingProxied,
  tellFacts,
  WAYS,
} from "./proxy_helpers.ts";
import {
  BlockingFacts,
  EchoAll,
  Facts,
  Hello,
} from "../testdata/proxy_handlers.ts";

const anyClass = (Server: unknown) => Server as AnyServerClass;

/** The ways to run, with the handlers that each can run. */
const HANDLED: [name: string, Server: AnyServerClass, Handler: unknown][] = [
  ...WAYS.map((Server): typeof HANDLED[0] => [Server.name, Server, Facts]),
  ...mayRead
    ? [
      ["ThreadingTCPServer, blocking", ThreadingTCPServer, BlockingFacts],
    ] as unknown as typeof HANDLED
    : [],
];

/** Does something with a client that sends some bytes one by one. */
async function slowly(socket: Socket, data: Uint8Array): Promise<void> {
  for (const byte of data) {
    await socket.sendall(Uint8Array.of(byte));
    await new Promise((resolve) => setImmediate(resolve));
  }
}

for (const [name, Server, Handler] of HANDLED) {
  Deno.test(`ProxyProtocolMixIn(${name}) tells the handler who the client is, however the header comes`, async () => {
    const server = makeProxied(Server, Handler);
    await serving(server, async () => {
      const known = { peer: "127.0.0.1" };
      for (
        const [version, host] of [[1, "192.0.2.1"], [2, "2001:db8::1"]] as const
      ) {
        const header = headerOf(host, version);
        const lines = bytes("one\ntwo\n");
        const whole = new Uint8Array([...header, ...lines]);
        for (const pieces of [[header], [whole], [header, lines]]) {
          const { told, rest } = await tellFacts(server, ...pieces);
          assertEquals(told.client, [host, 56324], "client");
          assertEquals(told.peer, known.peer, "peer");
          assertEquals(told.header?.version, version, "version");
          assertEquals(told.header?.source, [host, 56324], "source");
          assertEquals(
            told.header?.uniqueId,
            version === 2 ? "id-1" : undefined,
          );
          assertEquals(
            rest,
            pieces[0] === header && pieces.length === 1 ? "" : "one\ntwo\n",
          );
        }
        using socket = await connectTo(server);
        await slowly(socket, whole);
        await socket.shutdown(SHUT_WR);
        assertEquals((await hear(socket)).rest, "one\ntwo\n");
      }
      const unknown = [
        encodeProxyHeader({ version: 1 }),
        encodeProxyHeader(),
        encodeProxyHeader({ command: "LOCAL", checksum: true }),
        encodeProxyHeader({ source: "/a", destination: "/b" }), // no address of this server's kind
      ];
      for (const header of unknown) {
        using socket = await connectTo(server);
        await socket.sendall(header);
        await socket.shutdown(SHUT_WR);
        const { told } = await hear(socket);
        assertEquals(told.client, socket.getsockname());
        assertEquals(
          told.header?.command,
          header.includes(0x20, 12) && header[12] === 0x20 ? "LOCAL" : "PROXY",
        );
      }
    });
    assertEquals(server.failures, [], "failures");
    assertEquals(server.errors, [], "errors");
    assertEquals(server.status.accepted, 12);
  });
}

/** Bytes that are no header, and the code of their error. */
const BAD: [what: string, sent: Uint8Array | null, code: string][] = [
  ["HTTP", bytes("GET / HTTP/1.1\r\n\r\n"), "EPROTO"],
  ["a part of a line", bytes("PROXY TCP4 1.2.3"), "ECONNRESET"],
  ["a part of version 2", headerOf("192.0.2.1").subarray(0, 20), "ECONNRESET"],
  [
    "a line that is too long",
    new Uint8Array([
      ...bytes("PROXY UNKNOWN "),
      ...new Uint8Array(200).fill(65),
    ]),
    "EPROTO",
  ],
  [
    "a header that is too long",
    new Uint8Array([...headerOf("192.0.2.1").subarray(0, 14), 255, 255]),
    "EPROTO",
  ],
  [
    "another version",
    headerOf("192.0.2.1").map((byte, i) => i === 12 ? 0x31 : byte),
    "EPROTO",
  ],
  [
    "a wrong checksum",
    headerOf("192.0.2.1").map((byte, i) => i === 17 ? 9 : byte),
    "EPROTO",
  ],
  ["nothing", null, "ECONNRESET"],
];

/** Has many peers stall. The server serves others, and ends those in time. */
async function stall(server: NotingProxied): Promise<void> {
  const STALLED = 50;
  server.failures.length = server.limited.length = 0;
  server.proxyTimeout = 60;
  const stalled: Socket[] = [];
  for (let i = 0; i < STALLED; i++) {
    const socket = await connectTo(server);
    if (i % 2 > 0) await socket.sendall(headerOf("192.0.2.1").subarray(0, 20));
    stalled.push(socket);
  }
  await until(() => server.status.active === STALLED);
  for (const host of ["192.0.2.1", "192.0.2.2"]) {
    const { told } = await within(tellFacts(server, headerOf(host)));
    assertEquals(told.client, [host, 56324]);
  }
  server.proxyTimeout = 0.1; // a change holds for them, too
  await until(() => server.failures.length === STALLED);
  assertEquals(new Set(server.failures), new Set(["ETIMEDOUT"]));
  assertEquals(server.status.limits.proxyTimeout, STALLED);
  assertEquals(server.limited[0][0], "proxyTimeout");
  await until(() => server.status.active === 0);
  assertEquals(server.failures.length, STALLED, "failures");
  for (const socket of stalled) socket.close();
}

Deno.test("ProxyProtocolMixIn closes, counts and reports each bad header, in each way to run, serves others while peers stall, and ends those in time", async () => {
  using stderr = new Stderr();
  for (const Server of WAYS) {
    const server = makeProxied(Server, Facts);
    await serving(server, async () => {
      for (const [what, sent] of BAD) {
        using socket = await connectTo(server);
        if (sent !== null) await socket.sendall(sent);
        await socket.shutdown(SHUT_WR);
        const end = await within(socket.recv(100)).catch((error) => error);
        assert(
          end.length === 0 || end.code === "ECONNRESET",
          `${what}: ${end}`,
        );
      }
      await until(() => server.failures.length === BAD.length);
      assertEquals(server.failures, BAD.map(([, , code]) => code));
      server.proxyTrusted = ["10.0.0.0/8"]; // a change holds for later connections
      using refused = await connectTo(server);
      const sent = await refused.sendall(headerOf("192.0.2.1")).then(() =>
        refused.recv(100)
      )
        .catch((error) => error);
      assert(sent.length === 0 || sent instanceof OSError);
      await until(() => server.failures.length === BAD.length + 1);
      assertEquals(server.failures.at(-1), "EACCES");
      assertEquals(server.peers.at(-1), refused.getsockname());
      server.proxyTrusted = ["127.0.0.1"];
      assertEquals(
        (await tellFacts(server, headerOf("192.0.2.1"))).told.client,
        ["192.0.2.1", 56324],
      );
      assertEquals(server.status.proxyErrors, BAD.length + 1);
      await until(() => server.status.active === 0);
      await stall(server);
    });
    assertEquals(server.errors, [], "errors");
    assertEquals(server.status.rejected, 0, "rejected");
  }
  assertEquals(stderr.texts, []);
});

Deno.test("ProxyProtocolMixIn counts a connection for maxConnections at once, and for its client once that is known", async () => {
  const reasons: [string, Address][] = [];
  class Limited extends AsyncTCPServer {
    override async rejectRequest(
      request: Socket,
      client: InetAddress,
      reason: string,
    ) {
      reasons.push([reason, client]);
      await request.sendall(bytes(`no: ${reason}\n`));
    }
  }
  const options = {
    maxConnectionsPerClient: 2,
    maxConnections: 4,
    maxConnectionsPolicy: "reject",
  };
  const server = makeProxied(anyClass(Limited), EchoLine, options);
  await serving(server, async () => {
    const open: Socket[] = [];
    const connect = async (host?: string) => {
      const socket = await connectTo(server);
      if (host !== undefined) await socket.sendall(headerOf(host));
      open.push(socket);
      return socket;
    };
    for (const host of ["192.0.2.1", "192.0.2.1", "192.0.2.2"]) {
      await connect(host);
    }
    await until(() => server.status.active === 3);
    const third = await connect("192.0.2.1");
    assertEquals(
      text(await within(third.recv(100))),
      "no: maxConnectionsPerClient\n",
    );
    await until(() => server.status.active === 3);
    await connect(); // its client is not known yet
    await until(() => server.status.active === 4);
    const fifth = await connect("192.0.2.3");
    assertEquals(text(await within(fifth.recv(100))), "no: maxConnections\n");
    assertEquals(reasons, [
      ["maxConnectionsPerClient", ["192.0.2.1", 56324]],
      ["maxConnections", ["192.0.2.3", 56324]],
    ]);
    const sixth = await connect();
    await sixth.sendall(bytes("no header"));
    await until(() => server.failures.length === 1);
    assertEquals(server.status.active, 4);
    for (const socket of open) socket.close();
    await until(() => server.status.active === 0);
    const { maxConnections, maxConnectionsPerClient } = server.status.limits;
    assertEquals(maxConnections, 1, "maxConnections");
    assertEquals(maxConnectionsPerClient, 1, "maxConnectionsPerClient");
    assertEquals(server.status.rejected, 2, "rejected");
    using again = await connectTo(server); // the counts of the client are back
    await again.sendall(
      new Uint8Array([...headerOf("192.0.2.1"), ...bytes("x\n")]),
    );
    assertEquals(text(await again.recv(9)), "x\n");
  });
});

Deno.test("ProxyProtocolMixIn calls the hooks after the header, with the client, and TLS after them", async () => {
  for (const Server of WAYS) {
    const calls: unknown[] = [];
    class Hooks extends (Server as unknown as typeof TCPServer) {
      override verifyRequest(request: Socket, client: InetAddress) {
        const { authority } = proxyHeaderOf(request)!;
        calls.push([
          "verifyRequest",
          client[0],
          authority,
          request instanceof SSLSocket,
        ]);
        return client[0] !== "192.0.2.9";
      }
      override verifyPeer(request: SSLSocket, client: InetAddress) {
        calls.push([
          "verifyPeer",
          client[0],
          proxyHeaderOf(request)!.authority,
        ]);
        return true;
      }
      override rejectRequest(_request: Socket, client: InetAddress) {
        calls.push(["rejectRequest", client[0]]);
      }
    }
    const server = makeProxied(anyClass(Hooks), Facts, {
      ssl: serverContext(),
    });
    await serving(server, async () => {
      for (const split of [false, true]) {
        using plain = await connectTo(server);
        if (split) await slowly(plain, headerOf("192.0.2.1"));
        else await plain.sendall(headerOf("192.0.2.1"));
        using socket = await within(
          clientContext().wrapSocket(plain, { serverHostname: "localhost" }),
        );
        await socket.sendall(bytes("one\n"));
        await socket.shutdown(SHUT_WR);
        const { told, rest } = await hear(socket);
        assertEquals(told.client, ["192.0.2.1", 56324], "client");
        assertEquals(told.header?.uniqueId, "id-1", "uniqueId");
        assertEquals(rest, "one\n", "rest");
      }
      using refused = await connectTo(server);
      await refused.sendall(headerOf("192.0.2.9"));
      assertEquals((await within(refused.recv(9))).length, 0);
      using stalled = await connectTo(server);
      await stalled.sendall(
        new Uint8Array([...headerOf("192.0.2.1"), ...bytes("no handshake")]),
      );
      await until(() => server.status.handshakeErrors === 1);
    });
    const hooks = [["verifyRequest", "192.0.2.1", "www.example", false], [
      "verifyPeer",
      "192.0.2.1",
      "www.example",
    ]];
    const no = [["verifyRequest", "192.0.2.9", "www.example", false], [
      "rejectRequest",
      "192.0.2.9",
    ]];
    assertEquals(calls, [...hooks, ...hooks, ...no, hooks[0]]);
    assertEquals(server.failures, [], "failures");
    assertEquals(server.status.rejected, 1, "rejected");
  }
});

Deno.test(
  "ProxyProtocolMixIn loses no byte behind the header, whenever it comes, when a child gets the connection",
  {
    ignore: !mayFork,
  },
  async () => {
    const unix = haveUnix ? [anyClass(ForkingUnixStreamServer)] : [];
    for (const Server of [anyClass(ForkingTCPServer), ...unix]) {
      const address = Server === unix[0] ? newPath() : LOOPBACK;
      const server = makeProxied(Server, EchoAll, {}, address);
      await serving(server, async () => {
        const one = async (size: number, seed: number) => {
          using socket = await connectTo(server);
          const sent = Uint8Array.from(
            { length: size },
            (_, i) => i * seed + (i >> 8),
          );
          const all = new Uint8Array([...headerOf("192.0.2.1"), ...sent]);
          const sending = (async () => {
            for (
              let at = 0, step = seed;
              at < all.length;
              at += step, step = step * 7 % 9973 + 1
            ) {
              await socket.sendall(all.subarray(at, at + step));
              if (step % 3 === 0) {
                await new Promise((resolve) => setImmediate(resolve));
              }
            }
            await socket.shutdown(SHUT_WR);
          })();
          using file = socket.makefile("rb");
          const got = await file.read();
          await sending;
          assertEquals(got.length, sent.length, `seed ${seed}`);
          assert(got.every((byte, i) => byte === sent[i]), `seed ${seed}`);
        };
        const seeds = Array.from({ length: 16 }, (_, i) => i * 37 + 1);
        await within(
          Promise.all(seeds.map((seed) => one(seed * 13 % 50_000, seed))),
        );
        await until(() => server.status.active === 0);
        const before = server.status;
        await one(70_000, 9999);
        await until(() => server.status.active === 0);
        const { bytesIn, bytesOut } = server.status;
        assertEquals(
          bytesIn - before.bytesIn,
          70_000 + headerOf("192.0.2.1").length,
          "bytesIn",
        );
        assertEquals(bytesOut - before.bytesOut, 70_000, "bytesOut");
      });
      assertEquals(server.errors, []);
    }
  },
);

Deno.test(
  "ForkingTCPServer answers a client that has ended its side before the handler writes",
  {
    ignore: !mayFork,
  },
  async () => {
    const server = new ForkingTCPServer(LOOPBACK, Hello, { maxChildren: 1 });
    await serving(server, async () => {
      for (let i = 0; i < 20; i++) {
        using socket = await connectTo(server);
        await socket.shutdown(SHUT_WR);
        assertEquals(text(await within(socket.recv(9))), "hello\n");
      }
    });
  },
);

Deno.test(
  "ProxyProtocolMixIn over a Unix socket has the addresses of TCP, or paths",
  { ignore: !haveUnix || !mayFork },
  async () => {
    const classes = [
      AsyncUnixStreamServer,
      ThreadingUnixStreamServer,
      ForkingUnixStreamServer,
    ];
    for (const Server of classes) {
      const server = makeProxied(anyClass(Server), Facts, {}, newPath());
      await serving(server, async () => {
        const paths = { source: "/run/client", destination: "/run/front" };
        const rows: [Uint8Array, Address][] = [
          [headerOf("192.0.2.1"), ["192.0.2.1", 56324]],
          [headerOf("2001:db8::1", 1), ["2001:db8::1", 56324]],
          [encodeProxyHeader(paths), "/run/client"],
          [encodeProxyHeader({ command: "LOCAL" }), ""],
        ];
        for (const [header, client] of rows) {
          const { told, rest } = await tellFacts(
            server,
            header,
            bytes("one\n"),
          );
          assertEquals(told.client, client, "client");
          assertEquals(told.peer, "", "peer");
          assertEquals(rest, "one\n", "rest");
        }
        server.proxyTrusted = ["127.0.0.1"]; // and no longer "unix"
        using refused = await connectTo(server);
        assertEquals((await within(refused.recv(9))).length, 0);
        await until(() => server.failures.length === 1);
        assertEquals(server.failures, ["EACCES"], "failures");
        assertEquals(server.peers, [""], "peers");
      });
    }
  },
);

Deno.test("ProxyProtocolMixIn publishes a request once its client is known", async () => {
  const events: [string, Address, string?][] = [];
  using _starts = subscribe("socketserver.request.start", (event) => {
    events.push(["start", event.clientAddress]);
  });
  using _stops = subscribe("socketserver.request.stop", (event) => {
    events.push(["stop", event.clientAddress, event.rejected]);
  });
  const server = makeProxied(anyClass(AsyncTCPServer), Facts, {
    maxConnections: 1,
    maxConnectionsPolicy: "reject",
  });
  await serving(server, async () => {
    using open = await connectTo(server);
    await open.sendall(headerOf("192.0.2.1"));
    await until(() => events.length === 1);
    using full = await connectTo(server);
    await full.sendall(headerOf("192.0.2.2"));
    assertEquals((await within(full.recv(9))).length, 0);
    open.close();
    await until(() => events.length === 4);
  });
  const clients = [["192.0.2.1", 56324], ["192.0.2.2", 56324]] as const;
  assertEquals<unknown>(events, [
    ["start", clients[0]],
    ["start", clients[1]],
    ["stop", clients[1], "maxConnections"],
    ["stop", clients[0], undefined],
  ]);
});

Deno.test("ProxyProtocolMixIn closes connections without a header when the server closes", async () => {
  for (const Server of [TCPServer, AsyncTCPServer].map(anyClass)) {
    const server = makeProxied(Server, Facts, { proxyTimeout: null });
    const served = server.serveForever();
    using closes = spy(server, "closeRequest");
    using stalled = await connectTo(server);
    await until(() => server.status.active === 1);
    await within(server.serverClose());
    assertSpyCalls(closes, 1);
    const end = await within(stalled.recv(1)).catch((error) => error.code);
    assert(end === "ECONNRESET" || end.length === 0);
    await served;
    assertEquals(server.failures, [], "failures");
    const { active, rejected, proxyErrors } = server.status;
    assertEquals({ active, rejected, proxyErrors }, {
      active: 0,
      rejected: 1,
      proxyErrors: 0,
    });
  }
});

Deno.test("ProxyProtocolMixIn(TCPServer) rejects a request that waits for its turn when the server closes", async () => {
  const begun = new Event();
  class Waits extends StreamRequestHandler {
    override async handle() {
      begun.set();
      if (this.signal.aborted) return;
      await new Promise((end) => this.signal.addEventListener("abort", end));
    }
  }
  const server = makeProxied(anyClass(TCPServer), Waits);
  let known = 0;
  using _known = subscribe("socketserver.request.start", (event) => {
    if (event.server === server) known++;
  });
  const served = server.serveForever();
  using one = await connectTo(server);
  using two = await connectTo(server);
  await until(() => server.status.active === 2);
  await one.sendall(headerOf("192.0.2.1"));
  await begun.wait();
  await two.sendall(headerOf("192.0.2.2"));
  await until(() => known === 2); // its header was read
  const closing = server.serverClose();
  assertEquals((await within(two.recv(9))).length, 0);
  await within(closing);
  await within(served);
  const { active, finished, rejected } = server.status;
  assertEquals({ active, finished, rejected }, {
    active: 0,
    finished: 1,
    rejected: 1,
  });
});

Deno.test("ProxyProtocolMixIn(TCPServer) handles one request at a time, and reads headers meanwhile", async () => {
  const begun = [new Event(), new Event()];
  const go = new Event();
  class Slow extends StreamRequestHandler {
    override async handle() {
      begun.shift()!.set();
      await go.wait();
    }
  }
  const server = makeProxied(anyClass(TCPServer), Slow);
  const [first, second] = begun;
  await serving(server, async () => {
    using one = await connectTo(server);
    using two = await connectTo(server);
    await until(() => server.status.active === 2);
    await two.sendall(headerOf("192.0.2.2"));
    await first.wait();
    await one.sendall(headerOf("192.0.2.1"));
    using bad = await connectTo(server);
    await bad.sendall(bytes("none"));
    await until(() => server.failures.length === 0); // the loop is with the handler
    assertEquals(second.isSet, false);
    go.set();
    await second.wait();
    await until(() => server.failures.length === 1);
  });
  assertEquals(server.errors, []);
});

Deno.test("ProxyProtocolMixIn(TCPServer).handleRequest() reads the header of its one request", async () => {
  await using server = makeProxied(anyClass(TCPServer), Facts, {
    proxyTimeout: 0.1,
  });
  using _silent = await connectTo(server);
  await within(server.handleRequest());
  assertEquals(server.failures, ["ETIMEDOUT"]);
  const asked = tellFacts(server, headerOf("192.0.2.1"));
  await within(server.handleRequest());
  assertEquals((await asked).told.client, ["192.0.2.1", 56324]);
});

Deno.test("ProxyProtocolMixIn works in either order with another mix-in, and takes its options as static fields", async () => {
  class Inner extends AsyncMixIn(ProxyProtocolMixIn(TCPServer)) {
    static override proxyTrusted = ["127.0.0.1"];
    static override proxyTimeout = 5;
  }
  const Forked = ForkingMixIn(ProxyProtocolMixIn(TCPServer));
  const options: ProxyProtocolOptions = { proxyTrusted: ["127.0.0.1"] };
  const servers = [
    new Inner(LOOPBACK, Facts, { maxConnections: 9 }),
    ...mayFork
      ? [new Forked(LOOPBACK, Facts, { ...options, maxChildren: 1 })]
      : [],
  ];
  assertEquals(servers[0].proxyTimeout, 5, "proxyTimeout");
  assertEquals(servers[0].maxConnections, 9, "maxConnections");
  assertEquals(servers[0].proxyTrusted, ["127.0.0.1"]);
  for (const server of servers) {
    await serving(server, async () => {
      const { told } = await tellFacts(server, headerOf("192.0.2.1"));
      assertEquals(told.client, ["192.0.2.1", 56324]);
    });
  }
});

Deno.test("ProxyProtocolMixIn refuses what cannot be, by name, before anything is open", () => {
  const Proxied = ProxyProtocolMixIn(AsyncTCPServer);
  const make = (options: unknown) => () =>
    new Proxied(LOOPBACK, EchoLine, options as ProxyProtocolOptions);
  assertThrows(
    make({}),
    TypeError,
    "Cannot set proxyTrusted: name the proxies",
  );
  assertThrows(
    make({ proxyTrusted: ["10.0.0.0/99"] }),
    RangeError,
    "10.0.0.0/99",
  );
  assertThrows(
    make({ proxyTrusted: ["::1"], proxyTimeout: -1 }),
    RangeError,
    "must be finite and not negative",
  );
  assertThrows(
    make({ proxyTrustd: ["::1"] }),
    TypeError,
    "Cannot set proxyTrusted",
  );
});

Deno.test("ProxyProtocolMixIn checks a change of its settings at once, and keeps the former ones", async () => {
  const server = makeProxied(anyClass(AsyncTCPServer), EchoLine, {
    proxyTrusted: ["127.0.0.1"],
    proxyTimeout: 7,
  });
  await serving(server, async () => {
    assertThrows(
      () => server.proxyTrusted = ["host"],
      RangeError,
      "a name is not looked up",
    );
    assertThrows(() => server.proxyTimeout = NaN, RangeError, "must be finite");
    assertEquals(server.proxyTrusted, ["127.0.0.1"], "proxyTrusted");
    assertEquals(server.proxyTimeout, 7, "proxyTimeout");
    using socket = await connectTo(server);
    await socket.sendall(headerOf("192.0.2.1"));
    await socket.sendall(bytes("x\n"));
    assertEquals(text(await socket.recv(9)), "x\n");
  });
});

Deno.test("ProxyProtocolMixIn prints one line for a header that does not count, and nothing for a lost client", async () => {
  using stderr = new Stderr();
  const server = new (ProxyProtocolMixIn(AsyncTCPServer))(LOOPBACK, EchoLine, {
    proxyTrusted: ["127.0.0.1"],
  });
  const send = async (data: string) => {
    const { proxyErrors } = server.status;
    using socket = await connectTo(server);
    if (data !== "") await socket.sendall(bytes(data));
    await socket.shutdown(SHUT_WR);
    await until(() => server.status.proxyErrors > proxyErrors);
    return socket.getsockname()[1];
  };
  await serving(server, async () => {
    const port = await send("hello\n");
    await until(() => stderr.texts.length === 1);
    assertEquals(stderr.texts, [
      `Cannot read the PROXY header: unknown protocol in "hello\\n" (EPROTO); the peer is ('127.0.0.1', ${port})`,
    ]);
    await send(""); // as a health check does
    server.reportLostClients = false;
    await send("hello\n");
    await send("PROXY ");
  });
  assertEquals(stderr.texts.length, 1, "texts");
  assertEquals(server.status.proxyErrors, 4, "proxyErrors");
});

Deno.test("ProxyProtocolMixIn reports an error of its hook, and goes on", async () => {
  using stderr = new Stderr();
  class Failing extends ProxyProtocolMixIn(AsyncTCPServer) {
    static override proxyTrusted = ["127.0.0.1"];
    override handleProxyError(): void {
      throw new Error("a hook failed");
    }
  }
  const server = new Failing(LOOPBACK, EchoLine);
  await serving(server, async () => {
    using socket = await connectTo(server);
    await socket.sendall(bytes("none"));
    await until(() => stderr.texts.length === 1);
    assert(stderr.texts[0].includes("a hook failed"));
    await until(() => server.status.active === 0);
    using next = await connectTo(server);
    await next.sendall(
      new Uint8Array([...headerOf("192.0.2.1"), ...bytes("x\n")]),
    );
    assertEquals(text(await next.recv(9)), "x\n");
  });
});

Deno.test("ProxyProtocolMixIn names the client in the error of a connection that was accepted ahead", async () => {
  using system = Deno.listen({ hostname: LOOPBACK[0], port: 0 });
  using client = await createConnection([LOOPBACK[0], system.addr.port]);
  await client.sendall(headerOf("203.0.113.7"));
  const conn = await system.accept();
  const inherited = Socket.from({
    addr: system.addr,
    accept: () => new Promise(() => {}),
    close: () => {},
    takeAhead: () => [conn],
  });
  const clients: Address[] = [];
  class Failing extends ProxyProtocolMixIn(AsyncTCPServer) {
    override verifyRequest(): boolean {
      throw new Error("a bug");
    }
    override handleError(_request: Socket, from: Address) {
      clients.push(from);
    }
  }
  const server = new Failing(inherited, EchoLine, {
    proxyTrusted: ["127.0.0.0/8"],
  });
  await within(server.serverClose());
  assertEquals(clients, [["203.0.113.7", 56324]]);
});

Deno.test("ProxyProtocolMixIn reads a header of Python", {
  ignore: !havePython(),
}, async () => {
  const server = makeProxied(anyClass(AsyncTCPServer), Facts);
  await serving(server, async () => {
    const body = `
import struct
version, (host, port) = row
with socket.create_connection((host, port), 20) as s:
    if version == 1:
        s.sendall(b"PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\\r\\n")
    else:
        block = socket.inet_aton("192.0.2.1") + socket.inet_aton("198.51.100.1") + struct.pack("!HH", 56324, 443)
        block += struct.pack("!BH", 2, 3) + b"abc"
        s.sendall(b"\\r\\n\\r\\n\\0\\r\\nQUIT\\n" + struct.pack("!BBH", 0x21, 0x11, len(block)) + block)
    s.shutdown(socket.SHUT_WR)
    return s.makefile("rb").readline().decode()`;
    const rows = [1, 2].map((version) => [version, server.serverAddress]);
    const lines = await within(python(body, rows));
    const told = lines.map((line) => JSON.parse(line as string));
    assertEquals(told.map(({ client }) => client), [["192.0.2.1", 56324], [
      "192.0.2.1",
      56324,
    ]]);
    assertEquals(told[1].header.authority, "abc");
  });
});
