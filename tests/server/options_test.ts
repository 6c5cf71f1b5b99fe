import {
  AF_INET,
  IP_ADD_MEMBERSHIP,
  IP_MULTICAST_LOOP,
  IP_MULTICAST_TTL,
  IPPROTO_IP,
  IPPROTO_IPV6,
  IPPROTO_TCP,
  IPV6_V6ONLY,
  MSG_DONTWAIT,
  type OptionValue,
  OSError,
  select,
  SO_ACCEPTCONN,
  SO_BROADCAST,
  SO_ERROR,
  SO_KEEPALIVE,
  SO_RCVBUF,
  SO_REUSEADDR,
  SO_REUSEPORT,
  SO_SNDBUF,
  SO_TYPE,
  SOCK_DGRAM,
  SOCK_STREAM,
  Socket,
  SOL_SOCKET,
  TCP_NODELAY,
} from "../../socket.ts";
import {
  assert,
  assertEquals,
  assertGreater,
  assertMatch,
  assertThrows,
} from "../deps.ts";
import { granted, unstableNet } from "../helpers/allowed.ts";
import { bytes } from "../helpers/bytes.ts";
import { FakeStream } from "../helpers/fakes.ts";
import {
  listen,
  nodeUdp,
  tcpPair,
  tcpSocketAndReset,
  udp,
} from "../helpers/sockets.ts";
import { codeOf } from "../helpers/thrown.ts";
import { boundedCommand, within } from "../helpers/within.ts";

/** A connection in memory that notes which options are set. */
class Noting extends FakeStream {
  setNoDelay(on?: boolean): void {
    this.calls.push(`setNoDelay ${on}`);
  }
  setKeepAlive(on?: boolean): void {
    this.calls.push(`setKeepAlive ${on}`);
  }
}

/** A listener in memory with one connection to accept. */
function listenerOf(conn: FakeStream): Socket {
  return Socket.from({
    accept: () => Promise.resolve(conn),
    close() {},
    addr: conn.localAddr,
  });
}

Deno.test("Socket.getsockopt() tells what a new socket has", () => {
  // deno-fmt-ignore
  const rows: [type: number, level: number, name: number, value: number][] = [
    [SOCK_STREAM, SOL_SOCKET, SO_TYPE, SOCK_STREAM], [SOCK_DGRAM, SOL_SOCKET, SO_TYPE, SOCK_DGRAM],
    [SOCK_STREAM, SOL_SOCKET, SO_ERROR, 0], [SOCK_STREAM, SOL_SOCKET, SO_ACCEPTCONN, 0],
    [SOCK_STREAM, SOL_SOCKET, SO_REUSEADDR, 1], [SOCK_DGRAM, SOL_SOCKET, SO_REUSEADDR, 0],
    [SOCK_STREAM, SOL_SOCKET, SO_REUSEPORT, 0], [SOCK_STREAM, SOL_SOCKET, SO_KEEPALIVE, 0],
    [SOCK_STREAM, IPPROTO_TCP, TCP_NODELAY, 0], [SOCK_DGRAM, SOL_SOCKET, SO_BROADCAST, 0],
    [SOCK_DGRAM, IPPROTO_IP, IP_MULTICAST_TTL, 1], [SOCK_DGRAM, IPPROTO_IP, IP_MULTICAST_LOOP, 1],
  ];
  for (const [type, level, name, value] of rows) {
    using socket = new Socket(AF_INET, type);
    assertEquals(socket.getsockopt(level, name), value, `option ${name}`);
  }
});

Deno.test("Socket.setsockopt() before connect is carried out at connect", async () => {
  const [client, server] = await tcpPair();
  for (const socket of [client, server, new Socket()]) {
    for (const value of [1, 0, true, 7, new Uint8Array([1, 0, 0, 0])]) {
      socket.setsockopt(IPPROTO_TCP, TCP_NODELAY, value);
      assertEquals(
        socket.getsockopt(IPPROTO_TCP, TCP_NODELAY),
        value === 0 ? 0 : 1,
      );
      socket.setsockopt(SOL_SOCKET, SO_KEEPALIVE, value);
      assertEquals(
        socket.getsockopt(SOL_SOCKET, SO_KEEPALIVE),
        value === 0 ? 0 : 1,
      );
    }
    socket.close();
  }
  using listener = listen();
  using early = new Socket();
  early.setsockopt(IPPROTO_TCP, TCP_NODELAY, 1);
  await early.connect(listener.getsockname());
  assertEquals(early.getsockopt(IPPROTO_TCP, TCP_NODELAY), 1);
});

Deno.test("Socket.setsockopt() reaches the connection, and accepted sockets inherit", async () => {
  const conn = new Noting();
  using listener = listenerOf(conn);
  listener.setsockopt(IPPROTO_TCP, TCP_NODELAY, 1);
  listener.setsockopt(SOL_SOCKET, SO_KEEPALIVE, 1);
  const [server] = await listener.accept();
  using _ = server;
  assertEquals(conn.calls, ["setNoDelay true", "setKeepAlive true"]);
  assertEquals(server.getsockopt(IPPROTO_TCP, TCP_NODELAY), 1);
  server.setsockopt(IPPROTO_TCP, TCP_NODELAY, 0);
  assertEquals(conn.calls.at(-1), "setNoDelay false");
  assertEquals(listener.getsockopt(IPPROTO_TCP, TCP_NODELAY), 1); // each has its own
});

Deno.test("Socket.setsockopt() of a TCP option does nothing on a stream that has none", async () => {
  using listener = listenerOf(new FakeStream());
  listener.setsockopt(IPPROTO_TCP, TCP_NODELAY, 1);
  const [server] = await listener.accept();
  assertEquals(server.getsockopt(IPPROTO_TCP, TCP_NODELAY), 1);
  server.close();
});

Deno.test("Socket.setsockopt() says what Deno cannot set", () => {
  // deno-fmt-ignore
  const rows: [type: number, level: number, name: number, value: number, message: string][] = [
    [SOCK_STREAM, IPPROTO_IPV6, IPV6_V6ONLY, 1, "option 26 of level 41: Deno cannot set it"],
    [SOCK_STREAM, SOL_SOCKET, SO_TYPE, 1, "option 3 of level 1: Deno cannot set it"],
    [SOCK_STREAM, SOL_SOCKET, 13, 1, "option 13 of level 1: Deno cannot set it"],
    [SOCK_STREAM, SOL_SOCKET, SO_REUSEADDR, 0, "SO_REUSEADDR: Deno sets it on every listener"],
    [SOCK_STREAM, SOL_SOCKET, SO_BROADCAST, 1, "SO_BROADCAST: Deno cannot set it on a stream socket"],
    [SOCK_STREAM, SOL_SOCKET, SO_RCVBUF, 1, "SO_RCVBUF: Deno cannot set it on a stream socket"],
    [SOCK_STREAM, IPPROTO_IP, IP_MULTICAST_TTL, 1, "IP_MULTICAST_TTL: Deno cannot set it on a stream socket"],
    [SOCK_STREAM, IPPROTO_IP, IP_ADD_MEMBERSHIP, 1, "IP_ADD_MEMBERSHIP: Deno cannot set it on a stream socket"],
    [SOCK_DGRAM, IPPROTO_TCP, TCP_NODELAY, 1, "TCP_NODELAY: a datagram socket has no such option"],
  ];
  for (const [type, level, name, value, message] of rows) {
    using socket = new Socket(AF_INET, type);
    const error = assertThrows(
      () => socket.setsockopt(level, name, value),
      OSError,
    );
    assertEquals(error.message, `Cannot setsockopt: ${message} (ENOPROTOOPT)`);
    assertEquals(error.code, "ENOPROTOOPT");
  }
});

Deno.test("Socket.getsockopt() says what Deno cannot read", () => {
  using socket = new Socket();
  using datagrams = new Socket(AF_INET, SOCK_DGRAM);
  // deno-fmt-ignore
  const rows: [Socket, number, number, string][] = [
    [socket, IPPROTO_IPV6, IPV6_V6ONLY, "option 26 of level 41"], [socket, SOL_SOCKET, SO_BROADCAST, "SO_BROADCAST"],
    [datagrams, IPPROTO_TCP, TCP_NODELAY, "TCP_NODELAY"], [datagrams, SOL_SOCKET, SO_RCVBUF, "SO_RCVBUF"],
  ];
  for (const [socket, level, name, said] of rows) {
    const error = assertThrows(() => socket.getsockopt(level, name), OSError);
    assertEquals(
      error.message,
      `Cannot getsockopt: ${said}: Deno cannot read it (ENOPROTOOPT)`,
    );
  }
});

Deno.test("Socket.setsockopt() refuses values that are none, and names them", () => {
  using socket = new Socket();
  using datagrams = new Socket(AF_INET, SOCK_DGRAM);
  const loose = (value: unknown) => value as OptionValue;
  for (const value of ["1", 1.5, null, undefined, {}]) {
    assertThrows(
      () => socket.setsockopt(IPPROTO_TCP, TCP_NODELAY, loose(value)),
      TypeError,
      `Cannot set TCP_NODELAY: the value must be an integer, got ${value}`,
    );
  }
  const short = new Uint8Array(3);
  assertThrows(
    () => socket.setsockopt(IPPROTO_TCP, TCP_NODELAY, short),
    RangeError,
    "an int is 4 bytes, got 3",
  );
  for (const value of [-1, 256]) {
    assertThrows(
      () => datagrams.setsockopt(IPPROTO_IP, IP_MULTICAST_TTL, value),
      RangeError,
      `Cannot set IP_MULTICAST_TTL: the value must be 0-255, got ${value}`,
    );
  }
});

Deno.test("Socket.getsockopt() of SO_ERROR tells once what failed after its call", async () => {
  const [client, reset] = await tcpSocketAndReset();
  using _ = client;
  const data = new Uint8Array(1_000_000);
  while (await codeOf(() => client.send(data, MSG_DONTWAIT)) === undefined);
  reset();
  await select([], [client], [], 20);
  assertGreater(client.getsockopt(SOL_SOCKET, SO_ERROR), 0);
  assertEquals(client.getsockopt(SOL_SOCKET, SO_ERROR), 0);
});

Deno.test("Socket.getsockopt() of SO_ERROR does not tell again what a call told", async () => {
  const [client, reset] = await tcpSocketAndReset();
  using _ = client;
  reset();
  await client.recv(1).catch(() => {});
  for (const timeout of [null, 5, 0]) {
    client.settimeout(timeout);
    for (const send of ["send", "sendall"] as const) {
      assertEquals(await codeOf(() => client[send](bytes("x"))), "EPIPE");
      assertEquals(client.getsockopt(SOL_SOCKET, SO_ERROR), 0, `${timeout}`);
    }
  }
});

Deno.test("SO_REUSEADDR lets two UDP sockets have one port", async () => {
  using first = new Socket(AF_INET, SOCK_DGRAM);
  using second = new Socket(AF_INET, SOCK_DGRAM);
  for (const socket of [first, second]) {
    assertEquals(socket.getsockopt(SOL_SOCKET, SO_REUSEADDR), 0);
    socket.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1);
    assertEquals(socket.getsockopt(SOL_SOCKET, SO_REUSEADDR), 1);
  }
  first.bind(["127.0.0.1", 0]);
  second.bind(first.getsockname());
  assertEquals(second.getsockname(), first.getsockname());
  using third = new Socket(AF_INET, SOCK_DGRAM);
  assertEquals(
    await codeOf(() => third.bind(first.getsockname())),
    "EADDRINUSE",
  );
});

Deno.test({
  name: "SO_REUSEPORT lets two listeners have one port",
  ignore: !unstableNet || Deno.build.os === "windows",
  async fn() {
    using first = new Socket();
    using second = new Socket();
    for (const socket of [first, second]) {
      socket.setsockopt(SOL_SOCKET, SO_REUSEPORT, 1);
    }
    first.bind(["127.0.0.1", 0]);
    first.listen(9); // opens again, with the option
    second.bind(first.getsockname());
    second.listen();
    assertEquals(first.getsockopt(SOL_SOCKET, SO_REUSEPORT), 1);
    assertEquals(
      await codeOf(() => first.setsockopt(SOL_SOCKET, SO_REUSEPORT, 0)),
      "ENOPROTOOPT",
    );
  },
});

Deno.test("SO_REUSEPORT on datagrams is refused at bind", () => {
  using socket = new Socket(AF_INET, SOCK_DGRAM);
  socket.setsockopt(SOL_SOCKET, SO_REUSEPORT, 1);
  const error = assertThrows(() => socket.bind(["127.0.0.1", 0]), OSError);
  assertMatch(
    error.message,
    /Deno cannot set SO_REUSEPORT on datagram sockets \(ENOPROTOOPT\)$/,
  );
});

Deno.test({
  name: "SO_REUSEPORT without --unstable-net is refused at bind",
  ignore: unstableNet,
  fn() {
    using socket = new Socket();
    socket.setsockopt(SOL_SOCKET, SO_REUSEPORT, 1);
    const error = assertThrows(() => socket.bind(["127.0.0.1", 0]), OSError);
    assertMatch(
      error.message,
      /SO_REUSEPORT needs deno run --unstable-net \(ENOPROTOOPT\)$/,
    );
  },
});

Deno.test({
  name: "SO_REUSEPORT without --unstable-net does not end the process",
  ignore: !granted("run", "read"),
  async fn() {
    const module = new URL("../../socket.ts", import.meta.url);
    const code = `
      import { createServer } from "${module}";
      try {
        createServer(["127.0.0.1", 0], { reusePort: true });
      } catch (error) {
        console.log(error.code);
      }`;
    const url = `data:text/typescript,${encodeURIComponent(code)}`;
    const args = [
      "run",
      "--quiet",
      "--no-check",
      "--allow-net",
      "--allow-import",
      url,
    ];
    const command = boundedCommand(Deno.execPath(), {
      args,
      stderr: "inherit",
    });
    const { code: exitCode, stdout } = await within(command.output());
    assertEquals(exitCode, 0, "exitCode");
    assertEquals(new TextDecoder().decode(stdout), "ENOPROTOOPT\n", "stdout");
  },
});

Deno.test("SO_BROADCAST, SO_RCVBUF and SO_SNDBUF work over node:dgram", () => {
  using socket = nodeUdp();
  assertEquals(socket.getsockopt(SOL_SOCKET, SO_BROADCAST), 0);
  for (const value of [1, 0, 1]) {
    socket.setsockopt(SOL_SOCKET, SO_BROADCAST, value);
    assertEquals(socket.getsockopt(SOL_SOCKET, SO_BROADCAST), value);
  }
  for (const name of [SO_RCVBUF, SO_SNDBUF]) {
    socket.setsockopt(SOL_SOCKET, name, 20_000);
    assert(socket.getsockopt(SOL_SOCKET, name) >= 20_000); // Linux doubles it
  }
});

Deno.test({
  name: "SO_BROADCAST is on over Deno.listenDatagram, and cannot be off",
  ignore: !unstableNet,
  async fn() {
    using socket = udp();
    assertEquals(socket.getsockopt(SOL_SOCKET, SO_BROADCAST), 1);
    socket.setsockopt(SOL_SOCKET, SO_BROADCAST, 1);
    assertEquals(
      await codeOf(() => socket.setsockopt(SOL_SOCKET, SO_BROADCAST, 0)),
      "ENOPROTOOPT",
    );
    assertEquals(
      await codeOf(() => socket.setsockopt(SOL_SOCKET, SO_RCVBUF, 9)),
      "ENOPROTOOPT",
    );
    using early = new Socket(AF_INET, SOCK_DGRAM);
    early.setsockopt(SOL_SOCKET, SO_BROADCAST, 0);
    assertEquals(
      await codeOf(() => early.bind(["127.0.0.1", 0])),
      "ENOPROTOOPT",
    );
    assertEquals(early.getsockname(), ["0.0.0.0", 0]); // nothing was left open
  },
});
