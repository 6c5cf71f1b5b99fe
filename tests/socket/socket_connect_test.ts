import {
  type Address,
  AF_INET,
  AF_INET6,
  AF_UNIX,
  ConnectionRefusedError,
  createConnection,
  OSError,
  select,
  SO_ACCEPTCONN,
  SOCK_STREAM,
  Socket,
  SOL_SOCKET,
} from "../../socket.ts";
import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertLess,
  assertRejects,
} from "../deps.ts";
import { haveUnix } from "../helpers/allowed.ts";
import { bytes, text } from "../helpers/bytes.ts";
import { FakeStream } from "../helpers/fakes.ts";
import { deadPort, listen, portOf, tcpPair, udp } from "../helpers/sockets.ts";
import { codeOf, ERRNO } from "../helpers/thrown.ts";
import { within } from "../helpers/within.ts";

Deno.test("Socket.accept() gives a socket of its own and the peer's address", async () => {
  using listener = listen();
  using client = new Socket();
  await client.connect(listener.getsockname());
  const [server, peer] = await within(listener.accept());
  using _ = server;
  assertEquals(peer, client.getsockname());
  assertEquals(server.getpeername(), peer);
  assertEquals(server.getsockname(), listener.getsockname());
  assertEquals(client.getpeername(), listener.getsockname());
  assertEquals(server.family, AF_INET, "family");
  assertEquals(server.type, SOCK_STREAM, "type");
  assertEquals(server.getsockopt(SOL_SOCKET, SO_ACCEPTCONN), 0);
});

Deno.test("Socket.accept() serves calls that wait at the same time, one connection each", async () => {
  using listener = listen();
  const accepted = [listener.accept(), listener.accept(), listener.accept()];
  const clients = accepted.map(() => new Socket());
  for (const client of clients) await client.connect(listener.getsockname());
  const servers = await within(Promise.all(accepted));
  const peers = servers.map(([, peer]) => portOf(peer)).sort();
  assertEquals(
    peers,
    clients.map((client) => portOf(client.getsockname())).sort(),
  );
  for (const socket of [...clients, ...servers.map(([socket]) => socket)]) {
    socket.close();
  }
});

Deno.test("Socket.accept() refuses a socket that does not listen", async () => {
  using socket = new Socket();
  assertEquals(await codeOf(() => socket.accept()), "EINVAL");
  socket.bind(["127.0.0.1", 0]);
  assertEquals(await codeOf(() => socket.accept()), "EINVAL");
  using datagrams = udp();
  assertEquals(await codeOf(() => datagrams.accept()), "EOPNOTSUPP");
  const [client, server] = await tcpPair();
  assertEquals(await codeOf(() => client.accept()), "EINVAL");
  client.close();
  server.close();
});

Deno.test("Socket.connect() tells that nobody listens", async () => {
  using socket = new Socket();
  const port = deadPort();
  const error = await assertRejects(
    () => socket.connect(["127.0.0.1", port]),
    OSError,
  );
  assertEquals(error.name, "ConnectionRefusedError");
  assertEquals(
    error.message,
    `Cannot connect "127.0.0.1:${port}": Connection refused (ECONNREFUSED)`,
  );
  assertEquals(error.address, `127.0.0.1:${port}`);
});

Deno.test("Socket.connect() may be tried again after a failure", async () => {
  using socket = new Socket();
  assertEquals(
    await codeOf(() => socket.connect(["127.0.0.1", deadPort()])),
    "ECONNREFUSED",
  );
  using listener = listen();
  await within(socket.connect(listener.getsockname()));
  assertEquals(socket.getpeername(), listener.getsockname());
});

Deno.test("Socket.connect() refuses a socket that is connected, or listens", async () => {
  const [client, server] = await tcpPair();
  assertEquals(await codeOf(() => client.connect(["127.0.0.1", 1])), "EISCONN");
  assertEquals(await codeOf(() => server.connect(["127.0.0.1", 1])), "EISCONN");
  using listener = listen();
  assertEquals(
    await codeOf(() => listener.connect(["127.0.0.1", 1])),
    "EINVAL",
  );
  client.close();
  server.close();
});

Deno.test("Socket.connect() called twice at once makes one connection", async () => {
  using listener = listen();
  using socket = new Socket();
  const address = listener.getsockname();
  await within(Promise.all([socket.connect(address), socket.connect(address)]));
  const [server, peer] = await within(listener.accept());
  assertEquals(peer, socket.getsockname());
  server.close();
  listener.setblocking(false);
  assertEquals(await codeOf(() => listener.accept()), "EAGAIN");
});

Deno.test("Socket.connect() keeps the address that the socket was bound to", async () => {
  using listener = listen();
  using client = new Socket();
  client.bind(["127.0.0.1", 0]);
  const own = client.getsockname();
  await client.connect(listener.getsockname());
  const [server, peer] = await within(listener.accept());
  using _ = server;
  assertEquals(peer, own, "peer");
  assertEquals(client.getsockname(), own, "sockname");
  await client.sendall(bytes("ping"));
  assertEquals(text(await within(server.recv(10))), "ping");
  await server.sendall(bytes("pong"));
  assertEquals(text(await within(client.recv(10))), "pong");
});

Deno.test("Socket.connect() that fails leaves a bound socket its address", async () => {
  using socket = new Socket();
  socket.bind(["127.0.0.1", 0]);
  const own = socket.getsockname();
  const dead: Address = ["127.0.0.1", deadPort()];
  assertEquals(await codeOf(() => socket.connect(dead)), "ECONNREFUSED");
  assertEquals(socket.getsockname(), own);
  assertEquals(await codeOf(() => socket.bind(["127.0.0.1", 0])), "EINVAL");
  using other = new Socket();
  assertEquals(await codeOf(() => other.bind(own)), "EADDRINUSE");
  using listener = listen();
  await within(socket.connect(listener.getsockname()));
  const [server, peer] = await within(listener.accept());
  assertEquals(peer, own, "peer");
  assertEquals(socket.getsockname(), own, "sockname");
  server.close();
});

Deno.test({
  name: "Socket.connect() that times out leaves a bound socket its address",
  ignore: Deno.build.os !== "linux", // other systems queue more than the backlog
  async fn() {
    using full = listen(AF_INET, 1);
    using first = await createConnection(full.getsockname());
    using second = await createConnection(full.getsockname());
    using socket = new Socket();
    socket.bind(["127.0.0.1", 0]);
    const own = socket.getsockname();
    socket.settimeout(0.02);
    const waiting = () => socket.connect(full.getsockname());
    assertEquals(await codeOf(waiting), "ETIMEDOUT");
    assertEquals(socket.getsockname(), own);
    const again = codeOf(waiting);
    using listener = listen();
    assertEquals(await again, "ETIMEDOUT");
    assertEquals(socket.getsockname(), own);
    await socket.connect(listener.getsockname()); // at once
    assertEquals(socket.getsockname(), own);
    using stranger = new Socket();
    const hear = () => stranger.connect(own);
    assertEquals(await codeOf(hear), "ECONNREFUSED"); // it connected, and does not listen
    assert(first.fileno() !== second.fileno());
  },
});

Deno.test("Socket.connect() that fails leaves a socket that may listen on its address", async () => {
  using socket = new Socket();
  socket.bind(["127.0.0.1", 0]);
  const own = socket.getsockname();
  const dead: Address = ["127.0.0.1", deadPort()];
  assertEquals(await codeOf(() => socket.connect(dead)), "ECONNREFUSED");
  socket.listen(5);
  assertEquals(socket.getsockname(), own);
  using client = await within(createConnection(own));
  assertEquals(client.getpeername(), own);
});

Deno.test("Socket over IPv6 binds, connects and tells its addresses", async () => {
  using listener = listen(AF_INET6);
  using client = new Socket(AF_INET6);
  await client.connect(["localhost", portOf(listener.getsockname())]);
  const [server, peer] = await within(listener.accept());
  assertEquals(peer[0], "::1");
  assertEquals(peer, client.getsockname());
  assertLess(0, portOf(peer));
  server.close();
});

Deno.test({
  name: "Socket over Unix paths binds, connects and tells its addresses",
  ignore: !haveUnix,
  async fn() {
    const directory = await Deno.makeTempDir();
    const path = `${directory}/s`;
    using listener = new Socket(AF_UNIX);
    listener.bind(path);
    listener.listen();
    assertEquals(listener.getsockname(), path);
    using client = new Socket(AF_UNIX);
    await client.connect(path);
    const [server, peer] = await within(listener.accept());
    assertEquals(peer, "", "peer");
    assertEquals(client.getpeername(), path, "peername");
    assertEquals(client.getsockname(), "", "sockname");
    assertEquals(server.getsockname(), path, "sockname");
    assertEquals(server.getpeername(), "", "peername");
    using again = new Socket(AF_UNIX);
    assertEquals(await codeOf(() => again.bind(path)), "EADDRINUSE");
    assertEquals(await codeOf(() => again.bind(`${directory}/no/s`)), "ENOENT");
    assertEquals(
      await codeOf(() => again.connect(`${directory}/no`)),
      "ENOENT",
    );
    server.close();
    await Deno.remove(directory, { recursive: true });
  },
});

Deno.test({
  name: "Socket.connect() that fails tells later that another has the address",
  ignore: !haveUnix,
  async fn() {
    const directory = await Deno.makeTempDir();
    const path = `${directory}/s`;
    using socket = new Socket(AF_UNIX);
    socket.bind(path);
    const connecting = socket.connect(`${directory}/no`);
    Deno.removeSync(path); // before the attempt ends
    Deno.writeTextFileSync(path, "in the way");
    assertEquals(await codeOf(() => connecting), "ENOENT");
    assertEquals(socket.getsockname(), path);
    assertEquals(await codeOf(() => socket.listen()), "EADDRINUSE");
    await Deno.remove(directory, { recursive: true });
  },
});

Deno.test("Socket.accept() tells an error of the system, and goes on", async () => {
  const conn = new FakeStream();
  const ends = [
    () =>
      Promise.reject(Object.assign(new Error("accept"), { code: "EMFILE" })),
    () => Promise.reject(new Deno.errors.NotConnected("reset before")),
    () => Promise.resolve(conn),
  ];
  using listener = Socket.from({
    accept: () => ends.shift()!(),
    close() {},
    addr: conn.localAddr,
  });
  assertEquals(await codeOf(() => listener.accept()), "EMFILE");
  assertEquals(await codeOf(() => listener.accept()), "ENOTCONN");
  const [server] = await listener.accept();
  server.close();
  assertEquals(conn.calls, ["close"]);
});

Deno.test("Socket.connect() to port 0 is refused, as by the system", async () => {
  for (
    const [family, host] of [[AF_INET, "127.0.0.1"], [AF_INET6, "::1"]] as const
  ) {
    const where = family === AF_INET ? "127.0.0.1:0" : "[::1]:0";
    const message =
      `Cannot connect "${where}": Connection refused (ECONNREFUSED)`;
    for (const bound of [false, true]) {
      using socket = new Socket(family);
      if (bound) socket.bind([host, 0]);
      await assertRejects(
        () => within(socket.connect([host, 0])),
        ConnectionRefusedError,
        message,
      );
      assertEquals(
        await within(socket.connectEx([host, 0])),
        ERRNO.ECONNREFUSED,
      );
      assertEquals(
        await codeOf(() => socket.connect([host, 0])),
        "ECONNREFUSED",
      );
      socket.setblocking(false);
      assertEquals(
        await codeOf(() => socket.connect([host, 0])),
        "EINPROGRESS",
      );
      await within(select([], [socket], []));
      assertEquals(
        await codeOf(() => socket.connect([host, 0])),
        "ECONNREFUSED",
      );
    }
    await assertRejects(
      () => within(createConnection([host, 0])),
      ConnectionRefusedError,
      message,
    );
    const all = await assertRejects(
      () => within(createConnection(["localhost", 0], { allErrors: true })),
      AggregateError,
    ) as AggregateError;
    for (const error of all.errors) {
      assertInstanceOf(error, ConnectionRefusedError);
    }
  }
});
