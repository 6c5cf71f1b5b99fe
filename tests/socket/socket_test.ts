import {
  type AddressLike,
  AF_INET,
  AF_INET6,
  AF_UNIX,
  formatAddress,
  GaiError,
  getdefaulttimeout,
  IPPROTO_TCP,
  IPPROTO_UDP,
  OSError,
  SO_ACCEPTCONN,
  SOCK_DGRAM,
  SOCK_STREAM,
  Socket,
  SOL_SOCKET,
} from "../../socket.ts";
import {
  assert,
  assertEquals,
  assertGreater,
  assertRejects,
  assertThrows,
} from "../deps.ts";
import { granted } from "../helpers/allowed.ts";
import { bytes, text } from "../helpers/bytes.ts";
import { listen, tcpPair, udp } from "../helpers/sockets.ts";
import { codeOf } from "../helpers/thrown.ts";
import { boundedCommand, within } from "../helpers/within.ts";

/** Passes an address of any type, as a caller without types may. */
const loose = (address: unknown) => address as AddressLike;

Deno.test("new Socket() is a TCP socket over IPv4 that waits", () => {
  using socket = new Socket();
  const { family, type, proto } = socket;
  assertEquals(family, AF_INET, "family");
  assertEquals(type, SOCK_STREAM, "type");
  assertEquals(proto, 0, "proto");
  assertEquals(socket.gettimeout(), null, "timeout");
  assertEquals(socket.getblocking(), true, "blocking");
  assertEquals(getdefaulttimeout(), null);
  assertEquals(socket.getsockname(), ["0.0.0.0", 0]);
});

Deno.test("new Socket() takes the protocol that goes with the type", () => {
  for (const type of [SOCK_STREAM, SOCK_DGRAM]) {
    const usual = type === SOCK_STREAM ? IPPROTO_TCP : IPPROTO_UDP;
    using socket = new Socket(AF_INET6, type, usual);
    assertEquals(socket.type, type, "type");
    assertEquals(socket.proto, usual, "proto");
    assertEquals(socket.getsockname(), ["::", 0]);
  }
  using unix = new Socket(AF_UNIX);
  assertEquals(unix.getsockname(), "");
});

Deno.test("new Socket() refuses families, types and protocols that it does not know", () => {
  // deno-fmt-ignore
  const rows: [number, number, number, string, string][] = [
    [9, SOCK_STREAM, 0, "EAFNOSUPPORT", "family 9"],
    [AF_INET, 3, 0, "EPROTONOSUPPORT", "type 3"],
    [AF_INET, SOCK_STREAM, IPPROTO_UDP, "EPROTONOSUPPORT", "protocol 17"],
    [AF_INET, SOCK_DGRAM, IPPROTO_TCP, "EPROTONOSUPPORT", "protocol 6"],
  ];
  for (const [family, type, proto, code, said] of rows) {
    const error = assertThrows(
      () => new Socket(family, type, proto),
      OSError,
      said,
    );
    assertEquals(error.code, code);
  }
});

Deno.test("Socket.toString() tells number, kind and addresses", async () => {
  using socket = new Socket();
  const start = `<Socket fd=${socket.fileno()}, family=2, type=1, proto=0`;
  assertEquals(`${socket}`, `${start}, laddr=0.0.0.0:0>`);
  socket.bind(["127.0.0.1", 0]);
  const own = formatAddress(socket.getsockname());
  assertEquals(`${socket}`, `${start}, laddr=${own}>`);
  using listener = listen();
  await within(socket.connect(listener.getsockname()));
  const peer = formatAddress(listener.getsockname());
  assertEquals(`${socket}`, `${start}, laddr=${own}, raddr=${peer}>`);
  socket.close();
  const closed = "<Socket [closed] fd=-1, family=2, type=1, proto=0>";
  assertEquals(`${socket}`, closed);
  using unix = new Socket(AF_UNIX);
  const number = unix.fileno();
  assertEquals(
    String(unix),
    `<Socket fd=${number}, family=1, type=1, proto=0>`,
  );
});

Deno.test("Socket.bind() opens at once and turns port 0 into a real one", () => {
  using socket = new Socket();
  socket.bind(["127.0.0.1", 0]);
  const [host, port] = socket.getsockname();
  assertEquals(host, "127.0.0.1");
  assertGreater(Number(port), 0);
});

Deno.test("Socket.bind() takes Python's names for hosts, and the forms of inet_aton()", () => {
  // deno-fmt-ignore
  const rows: [number, string, string][] = [
    [AF_INET, "", "0.0.0.0"], [AF_INET6, "", "::"], [AF_INET, "localhost", "127.0.0.1"],
    [AF_INET6, "localhost", "::1"], [AF_INET, "127.1", "127.0.0.1"], [AF_INET, "0x7f.2", "127.0.0.2"],
    [AF_INET, "::ffff:127.0.0.1", "127.0.0.1"],
  ];
  for (const type of [SOCK_STREAM, SOCK_DGRAM]) {
    for (const [family, host, found] of rows) {
      using socket = new Socket(family, type);
      socket.bind([host, 0]);
      assertEquals(socket.getsockname()[0], found);
    }
  }
});

Deno.test("Socket.bind() refuses what is no address, and names it", () => {
  // deno-fmt-ignore
  const rows: [number, unknown, string][] = [
    [AF_INET, "localhost:80", 'Cannot bind "localhost:80": the address must be [host, port]; write ["localhost", 80]'],
    [AF_INET, "/run/s", 'Cannot bind "/run/s": the address must be [host, port]; a path needs AF_UNIX: use a UnixStreamServer or UnixDatagramServer, or new Socket(AF_UNIX)'],
    [AF_INET, "\0s", 'Cannot bind "\\u0000s": the address must be [host, port]; a path needs AF_UNIX: use a UnixStreamServer or UnixDatagramServer, or new Socket(AF_UNIX)'],
    [AF_INET, ["h"], 'Cannot bind "h:undefined": the address must be [host, port]; write ["h", port]'],
    [AF_INET, [1, 2], "Cannot bind [1,2]: host must be a string, got number"],
    [AF_INET, ["h", "80"], 'Cannot bind "h:80": port must be a number, got string "80"; write 80, or convert it with Number()'],
    [AF_INET, ["h\0", 80], 'Cannot bind "h\\u0000:80": host must not contain a NUL character'],
    [AF_INET, ["h", 80, 0, 0, 0], 'Cannot bind "h:80": the address must be [host, port]'],
    [AF_INET, undefined, "Cannot bind undefined: the address must be [host, port]"],
    [AF_INET, null, "Cannot bind null: the address must be [host, port]"],
    [AF_UNIX, ["h", 80], 'Cannot bind "h:80": the address of a Unix socket must be a path string; [host, port] needs AF_INET, as a TCPServer has'],
    [AF_UNIX, "a\0b", 'Cannot bind "a\\u0000b": the path must not contain a NUL character'],
  ];
  for (const [family, address, message] of rows) {
    for (const type of [SOCK_STREAM, SOCK_DGRAM]) {
      using socket = new Socket(family, type);
      const error = assertThrows(() => socket.bind(loose(address)), TypeError);
      assertEquals(error.message, message);
    }
  }
});

Deno.test("Socket methods refuse ports that are none, and name them", async () => {
  for (const port of [70000, 1.5, -1, NaN]) {
    for (const type of [SOCK_STREAM, SOCK_DGRAM]) {
      using socket = new Socket(AF_INET, type);
      const reason =
        `"127.0.0.1:${port}": port must be an integer from 0 to 65535, got ${port}`;
      const address: AddressLike = ["127.0.0.1", port];
      assertThrows(
        () => socket.bind(address),
        RangeError,
        `Cannot bind ${reason}`,
      );
      await assertRejects(
        () => socket.connect(address),
        RangeError,
        `Cannot connect ${reason}`,
      );
      await assertRejects(
        () => socket.connectEx(address),
        RangeError,
        `Cannot connect ${reason}`,
      );
      await assertRejects(
        () => socket.sendto(bytes("x"), address),
        RangeError,
        `Cannot sendto ${reason}`,
      );
    }
  }
});

Deno.test("Socket.bind() takes Python's address of IPv6, but no flow info or scope in it", () => {
  using socket = new Socket(AF_INET6);
  for (const rest of [[-10], [0, 1], [5, 0]]) {
    assertThrows(
      () => socket.bind(loose(["::1", 0, ...rest])),
      RangeError,
      "flow info and scope must be 0; a scope goes into the host",
    );
  }
  socket.bind(loose(["::1", 0, 0, 0]));
  assertEquals(socket.getsockname()[0], "::1");
});

Deno.test("Socket.bind() refuses a Unix path over 107 bytes, and says how long it is", () => {
  using socket = new Socket(AF_UNIX);
  const path = "/tmp/" + "é".repeat(52); // 109 bytes, 57 characters
  const error = assertThrows(
    () => socket.bind(path),
    OSError,
    "at most 107 bytes, got 109",
  );
  assertEquals(error.code, "ENAMETOOLONG", "code");
  assertEquals(error.address, path, "address");
});

Deno.test("Socket.bind() refuses a taken port, and says which", () => {
  using first = listen();
  const address = first.getsockname();
  const [host, port] = address;
  using second = new Socket();
  const error = assertThrows(() => second.bind(address), OSError);
  assertEquals(
    error.message,
    `Cannot bind "${host}:${port}": Address already in use (EADDRINUSE)`,
  );
  assertEquals(error.code, "EADDRINUSE", "code");
  assertEquals(error.syscall, "bind", "syscall");
  assertEquals(error.address, `${host}:${port}`, "address");
  assert(error.cause instanceof Error);
  second.bind(["127.0.0.1", 0]); // the failure left nothing behind
});

Deno.test("Socket.bind() refuses an address of another machine or family", async () => {
  using socket = new Socket();
  assertEquals(
    await codeOf(() => socket.bind(["192.0.2.77", 0])),
    "EADDRNOTAVAIL",
  );
  const error = assertThrows(() => socket.bind(["::1", 0]), GaiError);
  assertEquals(
    error.message,
    'Cannot bind "::1": an IPv6 address needs AF_INET6: `new Socket(AF_INET6)`, or the `addressFamily` of a server (EAI_ADDRFAMILY)',
  );
  using six = new Socket(AF_INET6);
  assertEquals(
    await codeOf(() => six.bind(["127.0.0.1", 0])),
    "EAI_ADDRFAMILY",
  );
  assertEquals(await codeOf(() => six.connect(["127.1", 1])), "EAI_ADDRFAMILY");
});

Deno.test("Socket.bind() and connect() refuse a name that nobody knows", async () => {
  using socket = new Socket();
  assertEquals(await codeOf(() => socket.bind(["no..name", 0])), "EAI_NONAME");
  assertEquals(
    await codeOf(() => socket.connect(["no..name", 1])),
    "EAI_NONAME",
  );
});

Deno.test("Socket.bind() refuses a second address", async () => {
  using bound = listen();
  assertEquals(await codeOf(() => bound.bind(["127.0.0.1", 0])), "EINVAL");
  const [client, server] = await tcpPair();
  assertEquals(await codeOf(() => client.bind(["127.0.0.1", 0])), "EINVAL");
  assertEquals(await codeOf(() => server.bind(["127.0.0.1", 0])), "EINVAL");
  client.close();
  server.close();
});

Deno.test(
  "Socket.bind() does not take localhost if the permissions deny it",
  {
    permissions: { net: ["127.0.0.1"] },
  },
  async () => {
    using socket = new Socket();
    assertEquals(await codeOf(() => socket.bind(["localhost", 0])), "EACCES");
  },
);

Deno.test({
  name: "Socket is not inherited by a process that is started",
  ignore: Deno.build.os !== "linux" || !granted("read", "run"),
  async fn() {
    const [client, server] = await tcpPair();
    const sockets = (listing: string) =>
      new Set(listing.match(/socket:\[\d+\]/g));
    const own = Array.from(Deno.readDirSync("/proc/self/fd"), ({ name }) => {
      try {
        return Deno.readLinkSync(`/proc/self/fd/${name}`);
      } catch {
        return ""; // the directory itself, closed by now
      }
    });
    const mine = sockets(own.join());
    assert(mine.size >= 2);
    const { stdout } = await boundedCommand("ls", {
      args: ["-l", "/proc/self/fd"],
    }).output();
    const theirs = sockets(text(stdout));
    assertEquals(mine.intersection(theirs), new Set());
    for (const socket of [client, server]) socket.close();
  },
});

Deno.test("Socket.listen() takes a free port if the socket is not bound", async () => {
  using listener = new Socket();
  listener.listen();
  const [host, port] = listener.getsockname();
  assertEquals(host, "0.0.0.0");
  using client = new Socket();
  await client.connect(["127.0.0.1", Number(port)]);
});

Deno.test("Socket.listen() keeps the port when it opens again for another backlog", () => {
  using listener = new Socket();
  listener.bind(["127.0.0.1", 0]);
  const address = listener.getsockname();
  listener.listen(7);
  assertEquals(listener.getsockname(), address);
  listener.listen(9); // while it listens, nothing is opened again
  assertEquals(listener.getsockname(), address);
  assertEquals(listener.getsockopt(SOL_SOCKET, SO_ACCEPTCONN), 1);
});

Deno.test({
  name: "Socket.listen() lets no more wait than the backlog says",
  ignore: Deno.build.os !== "linux", // others round the backlog up
  async fn() {
    using listener = listen(AF_INET, 1);
    const clients = Array.from({ length: 6 }, () => new Socket());
    let connected = 0;
    for (const client of clients) {
      client.settimeout(connected < 2 ? 5 : 0.1);
      connected += Number(await client.connectEx(listener.getsockname()) === 0);
    }
    assertEquals(connected, 2); // Linux lets one more wait than the backlog
    for (const client of clients) client.close();
  },
});

Deno.test("Socket.listen() lets many wait without a backlog", async () => {
  using listener = listen();
  const clients = Array.from({ length: 40 }, () => new Socket());
  await within(
    Promise.all(
      clients.map((client) => client.connect(listener.getsockname())),
    ),
  );
  for (const client of clients) client.close();
});

Deno.test("Socket.listen() takes any backlog of a C int, as Python does", async () => {
  for (const backlog of [0, -1, 2 ** 31 - 1, undefined]) {
    using listener = listen(AF_INET, backlog);
    using client = new Socket();
    await within(client.connect(listener.getsockname()));
    const [server] = await within(listener.accept());
    server.close();
  }
});

Deno.test("Socket.listen() refuses what cannot listen", async () => {
  using datagrams = udp();
  assertEquals(await codeOf(() => datagrams.listen()), "EOPNOTSUPP");
  const [client, server] = await tcpPair();
  assertEquals(await codeOf(() => client.listen()), "EINVAL");
  using fresh = new Socket();
  assertThrows(
    () => fresh.listen(1.5),
    TypeError,
    "backlog must be an integer, got 1.5",
  );
  for (const backlog of [2 ** 31, -(2 ** 31) - 1]) {
    assertThrows(
      () => fresh.listen(backlog),
      RangeError,
      `backlog must be a 32-bit integer, got ${backlog}`,
    );
  }
  fresh.listen(-1); // as 0, as in Python
  client.close();
  server.close();
});
