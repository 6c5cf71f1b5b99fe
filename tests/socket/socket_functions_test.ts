import {
  AF_INET,
  AF_INET6,
  AF_UNIX,
  ConnectionRefusedError,
  createConnection,
  createServer,
  GaiError,
  hasDualstackIPv6,
  type OSError,
  setdefaulttimeout,
  SO_REUSEPORT,
  SOCK_DGRAM,
  SOCK_STREAM,
  Socket,
  socketpair,
  SOL_SOCKET,
} from "../../socket.ts";
import * as socketModule from "../../socket.ts";
import {
  assert,
  assertEquals,
  assertLess,
  assertRejects,
  assertThrows,
} from "../deps.ts";
import { havePython, unstableNet } from "../helpers/allowed.ts";
import { bytes, text } from "../helpers/bytes.ts";
import { python } from "../helpers/python.ts";
import { resolveTo } from "../helpers/resolver.ts";
import { deadPort, listen, portOf } from "../helpers/sockets.ts";
import { codeOf } from "../helpers/thrown.ts";
import { within } from "../helpers/within.ts";

Deno.test("createConnection() takes the first address that answers", async () => {
  using listener = listen();
  const port = portOf(listener.getsockname());
  using _ = resolveTo("::1", "127.0.0.2", "127.0.0.1", "127.0.0.3");
  using client = await within(createConnection(["many.test", port]));
  assertEquals(client.getpeername(), ["127.0.0.1", port]);
  assertEquals(client.family, AF_INET, "family");
  assertEquals(client.type, SOCK_STREAM, "type");
  assertEquals(client.gettimeout(), null, "timeout");
});

Deno.test("createConnection() throws the last failure, or all", async () => {
  const port = deadPort();
  using _ = resolveTo("::1", "127.0.0.1");
  const address: [string, number] = ["dead.test", port];
  const last = await assertRejects(
    () => createConnection(address),
    ConnectionRefusedError,
  );
  assertEquals(last.address, `127.0.0.1:${port}`);
  const all = await assertRejects(
    () => createConnection(address, { allErrors: true }),
    AggregateError,
  );
  assertEquals(
    all.message,
    `Cannot connect "dead.test:${port}": all attempts failed`,
  );
  assertEquals(
    all.errors.map((error: OSError) => [error.code, error.address]),
    [
      ["ECONNREFUSED", `[::1]:${port}`],
      ["ECONNREFUSED", `127.0.0.1:${port}`],
    ],
  );
});

Deno.test("createConnection() refuses names that nobody knows, and what is no address", async () => {
  await assertRejects(
    () => createConnection(["no..name", 80]),
    GaiError,
    '"no..name"',
  );
  await assertRejects(
    () => createConnection(["localhost", 70000]),
    RangeError,
    "got 70000",
  );
  const loose = 5 as unknown as [string, number];
  await assertRejects(
    () => createConnection(loose),
    TypeError,
    "must be [host, port]",
  );
});

Deno.test({
  name:
    "createConnection() gives up after the timeout, and the socket keeps it",
  ignore: Deno.build.os !== "linux", // other systems queue more than the backlog
  async fn() {
    using listener = listen(AF_INET, 1);
    const address = listener.getsockname();
    const clients = [
      await createConnection(address, { timeout: 9 }),
      await createConnection(address),
    ];
    assertEquals(clients.map((client) => client.gettimeout()), [9, null]);
    const begin = performance.now();
    assertEquals(
      await codeOf(() => createConnection(address, { timeout: 0.05 })),
      "ETIMEDOUT",
    );
    assertLess(performance.now() - begin, 30_000);
    for (const client of clients) client.close();
  },
});

Deno.test("createConnection() has the default timeout, or the one that is asked for", async () => {
  using listener = listen();
  const address = listener.getsockname();
  setdefaulttimeout(42);
  try {
    using usual = await createConnection(address);
    using endless = await createConnection(address, { timeout: null });
    using timed = await createConnection(address, { timeout: 30 });
    const made = [usual, endless, timed];
    assertEquals(made.map((s) => s.gettimeout()), [42, null, 30]);
  } finally {
    setdefaulttimeout(null);
  }
});

Deno.test("createConnection() with a timeout ends a recv() that waits, and without one does not", async () => {
  using listener = listen();
  using patient = await createConnection(listener.getsockname());
  const [late] = await listener.accept();
  const waiting = patient.recv(5);
  const hasty = { timeout: 0.03 };
  using timed = await createConnection(listener.getsockname(), hasty);
  assertEquals(await codeOf(() => timed.recv(5)), "ETIMEDOUT");
  await late.send(bytes("done!"));
  assertEquals(text(await within(waiting)), "done!");
  late.close();
});

Deno.test("createConnection() makes a socket that `using` closes", async () => {
  using listener = listen();
  let socket;
  {
    using client = socket = await createConnection(listener.getsockname());
    const [server] = await listener.accept();
    await client.sendall(bytes("foo"));
    await server.sendall(await server.recv(1024));
    assertEquals(text(await within(client.recv(1024))), "foo");
    server.close();
  }
  assertEquals(socket.fileno(), -1);
  assertEquals(await codeOf(() => socket.sendall(bytes("foo"))), "EBADF");
});

Deno.test("createConnection() connects from a port of every own address", async () => {
  using listener = listen();
  const port = deadPort();
  using client = await within(
    createConnection(listener.getsockname(), { sourceAddress: ["", port] }),
  );
  assertEquals(client.getsockname(), ["127.0.0.1", port]);
});

Deno.test("createConnection() connects from an own address", async () => {
  using listener = listen();
  const sourceAddress: [string, number] = ["127.0.0.2", deadPort()];
  using client = await within(
    createConnection(listener.getsockname(), { sourceAddress }),
  );
  const [server, peer] = await within(listener.accept());
  assertEquals(peer, sourceAddress, "peer");
  assertEquals(client.getsockname(), sourceAddress, "sockname");
  await client.sendall(bytes("hello"));
  assertEquals(text(await within(server.recv(9))), "hello");
  server.close();
  const taken = { sourceAddress: listener.getsockname() };
  assertEquals(
    await codeOf(() => createConnection(listener.getsockname(), taken)),
    "EADDRINUSE",
  );
});

Deno.test("createServer() listens, and closes what it opened if it fails", async () => {
  using listener = createServer(["127.0.0.1", 0], { backlog: 5 });
  const address = listener.getsockname();
  using client = await createConnection(address);
  const [server] = await within(listener.accept());
  server.close();
  assertEquals(client.getpeername(), address);
  assertEquals(await codeOf(() => createServer(address)), "EADDRINUSE");
  assertThrows(
    () => createServer(["127.0.0.1", 0], { backlog: 1.5 }),
    TypeError,
    "got 1.5",
  );
});

for (const family of [AF_INET, AF_INET6]) {
  const loopback = family === AF_INET ? "127.0.0.1" : "::1";
  const name = family === AF_INET ? "AF_INET" : "AF_INET6";

  Deno.test(`createServer() of ${name} binds to the address that is given`, () => {
    const port = deadPort();
    using server = createServer([loopback, port], { family });
    assertEquals(server.getsockname(), [loopback, port]);
    assertEquals(server.family, family, "family");
    assertEquals(server.type, SOCK_STREAM, "type");
    assertEquals(server.getsockopt(SOL_SOCKET, SO_REUSEPORT), 0);
  });

  Deno.test(`createServer() of ${name} on every address serves a client`, async () => {
    const port = deadPort();
    using server = createServer(["", port], { family });
    using client = new Socket(family);
    for (const socket of [server, client]) socket.settimeout(20);
    await client.connect([loopback, port]);
    const [accepted, peer] = await server.accept();
    assertEquals(peer, client.getsockname());
    await client.sendall(bytes("foo"));
    await accepted.sendall(await accepted.recv(1024));
    assertEquals(text(await client.recv(1024)), "foo");
    accepted.close();
  });
}

Deno.test("createServer() with a dual stack takes IPv4 and IPv6", {
  ignore: !hasDualstackIPv6(),
}, async () => {
  using listener = createServer(["", 0], {
    family: AF_INET6,
    dualstackIpv6: true,
  });
  const port = portOf(listener.getsockname());
  for (
    const [host, seen] of [["127.0.0.1", "::ffff:127.0.0.1"], ["::1", "::1"]]
  ) {
    using client = await createConnection([host, port]);
    const [server, peer] = await within(listener.accept());
    assertEquals(peer[0], seen);
    await server.sendall(bytes("hello"));
    assertEquals(text(await within(client.recv(9))), "hello");
    server.close();
  }
});

Deno.test("createServer() refuses a dual stack of IPv4", () => {
  assertThrows(
    () => createServer(["", 0], { dualstackIpv6: true }),
    RangeError,
    "a dual stack needs AF_INET6",
  );
});

Deno.test("createServer() shares a port with reusePort, if Deno can", async () => {
  const options = { reusePort: true };
  if (!unstableNet) {
    assertEquals(
      await codeOf(() => createServer(["127.0.0.1", 0], options)),
      "ENOPROTOOPT",
    );
    return;
  }
  using first = createServer(["127.0.0.1", 0], options);
  using second = createServer(first.getsockname(), options);
  assertEquals(second.getsockopt(SOL_SOCKET, SO_REUSEPORT), 1);
});

Deno.test("hasDualstackIPv6() is a question that leaves nothing open", () => {
  assertEquals(typeof hasDualstackIPv6(), "boolean");
});

Deno.test("socketpair() connects two sockets of each family and type", async () => {
  for (const family of [AF_INET, AF_INET6]) {
    for (const type of [SOCK_STREAM, SOCK_DGRAM]) {
      const [one, other] = await within(socketpair(family, type));
      assertEquals(one.family, family, "oneFamily");
      assertEquals(one.type, type, "oneType");
      assertEquals(other.family, family, "otherFamily");
      assertEquals(other.type, type, "otherType");
      assertEquals(one.getpeername(), other.getsockname());
      assertEquals(other.getpeername(), one.getsockname());
      for (const [from, to] of [[one, other], [other, one]]) {
        await from.send(bytes("hello"));
        assertEquals(text(await within(to.recv(9))), "hello");
      }
      one.close();
      other.close();
    }
  }
});

Deno.test("socketpair() does not take a stranger for one of the two", async () => {
  const { connect } = Socket.prototype;
  const stranger = new Socket();
  Socket.prototype.connect = async function (this: Socket, address) {
    Socket.prototype.connect = connect;
    await stranger.connect(address); // who found the port is first
    await this.connect(address);
  };
  const [one, other] = await within(socketpair());
  assertEquals(one.getpeername(), other.getsockname());
  assertEquals(other.getpeername(), one.getsockname());
  assertEquals((await within(stranger.recv(1))).length, 0); // shut out
  for (const socket of [one, other, stranger]) socket.close();
});

Deno.test({
  name: "socketpair() of AF_UNIX needs no permission for files on Linux",
  ignore: Deno.build.os !== "linux",
  permissions: { net: true },
  async fn() {
    const [one, other] = await within(socketpair(AF_UNIX));
    await one.sendall(bytes("hello"));
    assertEquals(text(await within(other.recv(9))), "hello");
    one.close();
    other.close();
  },
});

Deno.test("socketpair() connects whatever the default timeout is", async () => {
  setdefaulttimeout(0);
  try {
    const [one, other] = await within(socketpair());
    assertEquals(one.gettimeout(), 0, "oneTimeout");
    assertEquals(other.gettimeout(), 0, "otherTimeout");
    one.close();
    other.close();
  } finally {
    setdefaulttimeout(null);
  }
});

Deno.test("socketpair() refuses families and types that it does not know", async () => {
  assertEquals(await codeOf(() => socketpair(99)), "EAFNOSUPPORT");
  assertEquals(await codeOf(() => socketpair(AF_INET, 99)), "EPROTONOSUPPORT");
});

/** The constants that are exported. */
const CONSTANTS = Object.entries(socketModule).filter(([, value]) =>
  typeof value === "number"
) as [string, number][];

Deno.test("the constants that every program needs are there", () => {
  const names = new Set(CONSTANTS.map(([name]) => name));
  for (
    const name of [
      ...["AF_INET", "AF_INET6", "AF_UNIX", "SOCK_STREAM", "SOCK_DGRAM"],
      ...["SOL_SOCKET", "SO_REUSEADDR", "SHUT_RD", "SHUT_WR", "SHUT_RDWR"],
      ...["IPPROTO_TCP", "IPPROTO_UDP", "IPPROTO_IPV6"],
    ]
  ) assert(names.has(name), name);
});

Deno.test({
  name: "constants are CPython's",
  ignore: !havePython(),
  async fn() {
    const names = CONSTANTS.map(([name]) => [name]);
    const body = "return getattr(socket, row[0], None)";
    assertEquals(
      await python(body, names),
      CONSTANTS.map(([, value]) => value),
    );
  },
});
