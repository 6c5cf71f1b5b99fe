import {
  AF_INET,
  AF_INET6,
  createConnection,
  SHUT_WR,
  SOCK_DGRAM,
  SOCK_STREAM,
  Socket,
  SOL_SOCKET,
} from "../../socket.ts";
import { assertEquals, assertStrictEquals, assertThrows } from "../deps.ts";
import { granted } from "../helpers/allowed.ts";
import { bytes, text } from "../helpers/bytes.ts";
import { FakeStream } from "../helpers/fakes.ts";
import { portOf, tcpPair, tcpSocketAndConn, udp } from "../helpers/sockets.ts";
import { codeOf } from "../helpers/thrown.ts";
import { boundedCommand, within } from "../helpers/within.ts";

Deno.test("Socket.detach() gives the connection away, and the socket is closed", async () => {
  const [socket, conn] = await tcpSocketAndConn();
  const detached = socket.detach() as Deno.Conn;
  assertEquals(socket.fileno(), -1);
  assertEquals(await codeOf(() => socket.recv(1)), "EBADF");
  await conn.write(bytes("still open"));
  const buffer = new Uint8Array(20);
  const count = await within(detached.read(buffer));
  assertEquals(text(buffer.subarray(0, count!)), "still open");
  detached.close();
  conn.close();
});

Deno.test("Socket.detach() gives what the socket was made of", () => {
  const made = [
    Deno.listen({ hostname: "127.0.0.1", port: 0 }),
    new FakeStream(),
  ];
  for (const transport of made) {
    assertStrictEquals(Socket.from(transport).detach(), transport);
    transport.close();
  }
  const datagrams = udp();
  datagrams.detach().close();
});

Deno.test("Socket.detach() refuses while something would be lost", async () => {
  const [client, server] = await tcpPair();
  client.setblocking(false);
  assertEquals(await codeOf(() => client.recv(1)), "EAGAIN"); // the read goes on
  assertEquals(await codeOf(() => client.detach()), "EBUSY");
  await server.sendall(bytes("ab"));
  client.setblocking(true);
  await within(client.recv(1));
  assertEquals(await codeOf(() => client.detach()), "EBUSY");
  await client.recv(1);
  client.detach().close();
  server.close();
});

Deno.test("Socket.from() takes a connection, a listener and a datagram socket", async () => {
  using listener = Socket.from(Deno.listen({ hostname: "::1", port: 0 }));
  assertEquals(listener.family, AF_INET6, "family");
  assertEquals(listener.type, SOCK_STREAM, "type");
  const port = portOf(listener.getsockname());
  const conn = await Deno.connect({ hostname: "::1", port });
  using client = Socket.from(conn);
  const [server] = await within(listener.accept());
  await client.sendall(bytes("hello"));
  assertEquals(text(await within(server.recv(9))), "hello");
  assertEquals(client.getpeername(), ["::1", port]);
  server.close();
  using datagrams = Socket.from(udp().detach());
  assertEquals(datagrams.family, AF_INET, "family");
  assertEquals(datagrams.type, SOCK_DGRAM, "type");
});

Deno.test("Socket.from() refuses what is no connection, and names it", () => {
  for (const value of ["tcp", -1, 42.5, null, undefined, {}, { read() {} }]) {
    assertThrows(
      () => Socket.from(value as never),
      TypeError,
      `Cannot make a socket: it needs a connection, a listener or a datagram socket, got ${
        Deno.inspect(value)
      }`,
    );
  }
});

Deno.test("Socket.from() takes a test double", async () => {
  const fake = new FakeStream(bytes("hello"), null);
  const socket = Socket.from(fake);
  assertEquals(text(await socket.recv(3)), "hel");
  assertEquals(text(await socket.recv(3)), "lo");
  assertEquals(await socket.recv(3), bytes(""));
  await socket.sendall(bytes("bye"));
  await socket.shutdown(SHUT_WR);
  assertEquals(fake.written.map(text), ["bye"], "written");
  assertEquals(fake.calls, ["closeWrite"], "calls");
  socket.close();
  assertEquals(fake.calls, ["closeWrite", "close"]);
  assertThrows(() => Socket.from({} as FakeStream), TypeError);
});

Deno.test("Socket.accept() closes a connection on which an option cannot be set", async () => {
  const fake = Object.assign(new FakeStream(), {
    setKeepAlive() {
      throw new Deno.errors.BadResource("gone");
    },
  });
  const addr = fake.localAddr;
  using listener = Socket.from({
    accept: () => Promise.resolve(fake),
    close() {},
    addr,
  });
  listener.setsockopt(SOL_SOCKET, 9, 1);
  assertEquals(await codeOf(() => listener.accept()), "EBADF");
  assertEquals(fake.calls, ["close"]);
});

Deno.test({
  name: "Socket.from() takes a TLS connection",
  ignore: !granted("run", "read", "write"),
  async fn() {
    const directory = await Deno.makeTempDir();
    const [keyFile, certFile] = [
      `${directory}/key.pem`,
      `${directory}/cert.pem`,
    ];
    // deno-fmt-ignore
    const args = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
      "-nodes", "-keyout", keyFile, "-out", certFile, "-days", "2", "-subj", "/CN=localhost",
      "-addext", "subjectAltName=DNS:localhost", "-addext", "basicConstraints=critical,CA:FALSE"];
    await boundedCommand("openssl", { args, stderr: "null" }).output();
    const [key, cert] = [
      await Deno.readTextFile(keyFile),
      await Deno.readTextFile(certFile),
    ];
    await Deno.remove(directory, { recursive: true });
    using listener = Socket.from(
      Deno.listenTls({ hostname: "127.0.0.1", port: 0, key, cert }),
    );
    const raw = await createConnection([
      "127.0.0.1",
      portOf(listener.getsockname()),
    ]);
    const conn = raw.detach() as Deno.TcpConn;
    using client = Socket.from(
      await Deno.startTls(conn, { hostname: "localhost", caCerts: [cert] }),
    );
    const [server] = await within(listener.accept());
    client.sendall(bytes("x".repeat(100_000)));
    client.shutdown(SHUT_WR);
    let count = 0;
    for (let piece; (piece = await within(server.recv(65536))).length > 0;) {
      count += piece.length;
    }
    assertEquals(count, 100_000);
    await server.sendall(bytes("bye"));
    assertEquals(text(await within(client.recv(9))), "bye");
    server.close();
  },
});
