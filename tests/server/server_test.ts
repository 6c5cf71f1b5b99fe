/** Making servers: arguments, static fields and options, addresses, flags of the socket. */

import { AsyncTCPServer } from "../../mixins.ts";
import {
  BaseRequestHandler,
  DatagramRequestHandler,
  StreamRequestHandler,
} from "../../handlers.ts";
import {
  type RequestHandlerConstructor,
  type ServerOptions,
  TCPServer,
  UDPServer,
  UnixDatagramServer,
  UnixStreamServer,
} from "../../server.ts";
import {
  AF_INET,
  AF_INET6,
  AF_UNIX,
  createConnection,
  GaiError,
  type InetAddress,
  OSError,
  select,
  SO_ACCEPTCONN,
  SO_REUSEADDR,
  SO_REUSEPORT,
  SOCK_DGRAM,
  SOCK_STREAM,
  Socket,
  SOL_SOCKET,
} from "../../socket.ts";
import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertNotStrictEquals,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "../deps.ts";
import { haveIPv6, haveUnix, unstableNet } from "../helpers/allowed.ts";
import { ask, connectTo, tell } from "../helpers/clients.ts";
import {
  EchoDatagram,
  EchoLine,
  LOOPBACK,
  serving,
} from "../helpers/servers.ts";
import { within } from "../helpers/within.ts";

const NOT_CLASSES: [unknown, string][] = [
  [undefined, "undefined"],
  [null, "null"],
  ["EchoHandler", '"EchoHandler"'],
  [() => {}, "[Function"],
  [{ handle() {} }, "{ handle: [Function: handle] }"],
  [class Plain {}, "[class Plain]"],
];

for (const [value, shown] of NOT_CLASSES) {
  Deno.test(`TCPServer names ${shown} as RequestHandlerClass in a TypeError`, () => {
    const error = assertThrows(
      () => new TCPServer(LOOPBACK, value as RequestHandlerConstructor),
      TypeError,
      "RequestHandlerClass must be a class with a handle method",
    );
    assert(error.message.includes(shown), error.message);
  });
}

// deno-lint-ignore no-explicit-any
type ErrorClass = new (...args: any[]) => Error;

const BAD_ADDRESSES: [unknown, ErrorClass, string][] = [
  [null, TypeError, "Cannot bind null: the address must be [host, port]"],
  [undefined, TypeError, "Cannot bind undefined"],
  [8080, TypeError, "Cannot bind 8080"],
  ["localhost:80", TypeError, 'Cannot bind "localhost:80"'],
  [["127.0.0.1"], TypeError, "the address must be [host, port]"],
  [[127, 80], TypeError, "host must be a string, got number"],
  [["127.0.0.1", "80"], TypeError, "port must be a number, got string"],
  [["127.0.0.1", 70000], RangeError, "got 70000"],
  [["127.0.0.1", 1.5], RangeError, "got 1.5"],
  [["127.0.0.1", -1], RangeError, "got -1"],
  [["::1", 0], GaiError, "an IPv6 address needs AF_INET6"],
  [["192.0.2.1", 0], OSError, "EADDRNOTAVAIL"],
];

for (const [address, ErrorClass, message] of BAD_ADDRESSES) {
  for (const Server of [TCPServer, UDPServer]) {
    const name = `${Server.name} refuses the address ${
      JSON.stringify(address)
    }`;
    Deno.test(name, () => {
      const Handler = BaseRequestHandler as RequestHandlerConstructor;
      const bad = address as InetAddress;
      assertThrows(() => new Server(bad, Handler), ErrorClass, message);
    });
  }
}

Deno.test({
  name:
    "UnixStreamServer refuses a path that is too long, and one that is none",
  ignore: !haveUnix,
  fn() {
    const make = (path: unknown) => () =>
      new UnixStreamServer(path as string, EchoLine);
    assertThrows(make("/" + "x".repeat(107)), OSError, "ENAMETOOLONG");
    assertThrows(make(["127.0.0.1", 0]), TypeError, "must be a path string");
    assertThrows(make("/no/such/directory/x"), OSError, "ENOENT");
  },
});

Deno.test("TCPServer refuses options out of range", () => {
  const make = (options: ServerOptions) => () =>
    new TCPServer(LOOPBACK, EchoLine, options);
  assertThrows(make({ addressFamily: 99 }), OSError, "EAFNOSUPPORT");
  assertThrows(make({ requestQueueSize: 1.5 }), TypeError, "got 1.5");
  assertThrows(make({ maxPacketSize: 1.5 }), TypeError, "maxPacketSize");
  assertThrows(make({ maxPacketSize: -1 }), RangeError, "maxPacketSize");
});

Deno.test("TCPServer copies the address it is given", async () => {
  const given: [string, number] = ["127.0.0.1", 0];
  await using server = new TCPServer(given, EchoLine);
  assertEquals(given, ["127.0.0.1", 0]);
  assertNotStrictEquals(server.serverAddress, given);
  assertStrictEquals(server.RequestHandlerClass, EchoLine);
});

Deno.test("TCPServer has Python's attributes and defaults, but the queue", async () => {
  await using server = new TCPServer(LOOPBACK, EchoLine);
  const { addressFamily, socketType, requestQueueSize } = server;
  assertEquals(addressFamily, AF_INET, "addressFamily");
  assertEquals(socketType, SOCK_STREAM, "socketType");
  assertEquals(requestQueueSize, 511);
  assertEquals(server.allowReuseAddress, false);
  assertEquals(server.allowReusePort, false);
  assertEquals(server.timeout, null);
  assertInstanceOf(server.socket, Socket);
  assertEquals(server.socket.getsockopt(SOL_SOCKET, SO_ACCEPTCONN), 1);
  assertEquals(UDPServer.socketType, SOCK_DGRAM);
  assertEquals(UDPServer.maxPacketSize, 8192);
  assertEquals(UnixStreamServer.addressFamily, AF_UNIX);
  assertEquals(UnixDatagramServer.addressFamily, AF_UNIX);
  assertEquals(UnixDatagramServer.socketType, SOCK_DGRAM);
});

Deno.test("a static field sets what Python's class attribute does, and an option wins", async () => {
  class Mine extends TCPServer {
    static override requestQueueSize = 5;
    static override timeout = 3;
    static override allowReuseAddress = true;
  }
  await using first = new Mine(LOOPBACK, EchoLine);
  assertEquals(first.requestQueueSize, 5, "requestQueueSize");
  assertEquals(first.timeout, 3, "timeout");
  assertEquals(first.socket.getsockopt(SOL_SOCKET, SO_REUSEADDR), 1);
  await using second = new Mine(LOOPBACK, EchoLine, {
    requestQueueSize: 6,
    timeout: null,
    allowReuseAddress: false,
  });
  assertEquals(second.requestQueueSize, 6, "requestQueueSize");
  assertEquals(second.timeout, null, "timeout");
  assertEquals(second.allowReuseAddress, false);
});

Deno.test("TCPServer with bindAndActivate false leaves binding to the caller", async () => {
  await using server = new TCPServer(LOOPBACK, EchoLine, {
    bindAndActivate: false,
  });
  assertEquals(server.serverAddress, LOOPBACK);
  server.allowReuseAddress = true;
  server.serverBind();
  assertEquals(server.serverAddress, server.socket.getsockname());
  server.serverActivate();
  assertEquals(server.socket.getsockopt(SOL_SOCKET, SO_REUSEADDR), 1);
  await serving(
    server,
    async () => assertEquals(await ask(server, "x\n"), "x\n"),
  );
});

Deno.test("TCPServer closes its socket when serverBind() or serverActivate() throws", () => {
  const sockets: Socket[] = [];
  class Unbound extends TCPServer {
    override serverBind() {
      sockets.push(this.socket);
      throw new Error("no");
    }
  }
  class Inactive extends TCPServer {
    override serverActivate() {
      super.serverActivate();
      sockets.push(this.socket);
      throw new Error("no");
    }
  }
  assertThrows(() => new Unbound(LOOPBACK, EchoLine), Error, "no");
  assertThrows(() => new Inactive(LOOPBACK, EchoLine), Error, "no");
  assertEquals(sockets.map((socket) => socket.fileno()), [-1, -1]);
});

/** How many of `count` connections are made while nobody accepts. */
async function connectable(
  server: TCPServer,
  count: number,
  timeout: number,
): Promise<number> {
  const address = server.serverAddress as [string, number];
  const attempts = Array.from(
    { length: count },
    () => createConnection(address, { timeout }),
  );
  const ends = await Promise.allSettled(attempts);
  const made = ends.filter((end) => end.status === "fulfilled");
  for (const { value } of made) value.close();
  return made.length;
}

Deno.test({
  name: "TCPServer has a backlog of requestQueueSize",
  ignore: Deno.build.os !== "linux",
  async fn() {
    await using small = new TCPServer(LOOPBACK, EchoLine, {
      requestQueueSize: 2,
    });
    const first = [await connectTo(small), await connectTo(small)];
    const held = 2 + await connectable(small, 10, 0.25);
    assert(held <= 4, `${held} connections`); // Linux holds one more than asked
    for (const client of first) client.close();
    await using large = new TCPServer(LOOPBACK, EchoLine);
    assertEquals(await connectable(large, 12, 30), 12);
  },
});

Deno.test({
  name: "TCPServer.allowReusePort needs --unstable-net, and the error says so",
  ignore: unstableNet,
  fn() {
    const make = () =>
      new TCPServer(LOOPBACK, EchoLine, { allowReusePort: true });
    const error = assertThrows(make, OSError, "--unstable-net");
    assertEquals(error.code, "ENOPROTOOPT");
  },
});

Deno.test({
  name: "TCPServer.allowReusePort lets two servers share a port",
  ignore: !unstableNet || Deno.build.os !== "linux",
  async fn() {
    class Shared extends TCPServer {
      static override allowReusePort = true;
    }
    await using one = new Shared(LOOPBACK, EchoLine);
    await using two = new Shared(one.serverAddress, EchoLine);
    assertEquals(one.serverAddress, two.serverAddress);
    assertEquals(two.socket.getsockopt(SOL_SOCKET, SO_REUSEPORT), 1);
    const lonely = () => new TCPServer(one.serverAddress, EchoLine);
    assertThrows(lonely, OSError, "EADDRINUSE");
  },
});

Deno.test("UDPServer.allowReusePort is an ENOPROTOOPT", () => {
  const make = () =>
    new UDPServer(LOOPBACK, EchoDatagram, { allowReusePort: true });
  assertEquals(assertThrows(make, OSError).code, "ENOPROTOOPT");
});

Deno.test({
  name: "UDPServer.allowReuseAddress lets two servers share a port",
  ignore: Deno.build.os !== "linux",
  async fn() {
    const options = { allowReuseAddress: true };
    await using one = new UDPServer(LOOPBACK, EchoDatagram, options);
    await using two = new UDPServer(one.serverAddress, EchoDatagram, options);
    assertEquals(one.serverAddress, two.serverAddress);
    const lonely = () => new UDPServer(one.serverAddress, EchoDatagram);
    assertThrows(lonely, OSError, "EADDRINUSE");
  },
});

Deno.test({
  name: "TCPServer and UDPServer on :: take IPv4 and IPv6",
  ignore: !haveIPv6,
  async fn() {
    const options = { addressFamily: AF_INET6 };
    const seen: string[] = [];
    class Tcp extends StreamRequestHandler {
      override handle() {
        seen.push(this.clientAddress[0]);
      }
    }
    class Udp extends DatagramRequestHandler {
      override handle() {
        seen.push(this.clientAddress[0]);
      }
    }
    for (
      const server of [
        new TCPServer(["::", 0], Tcp, options),
        new UDPServer(["::", 0], Udp, options),
      ]
    ) {
      const port = server.serverAddress[1] as number;
      const { socketType } = server;
      for (
        const [addressFamily, host] of [[AF_INET, "127.0.0.1"], [
          AF_INET6,
          "::1",
        ]] as const
      ) {
        const serverAddress: InetAddress = [host, port];
        const told = tell({ serverAddress, addressFamily, socketType }, "hi\n");
        await within(server.handleRequest());
        await told;
      }
      await server.serverClose();
    }
    assertEquals(seen, ["::ffff:127.0.0.1", "::1", "::ffff:127.0.0.1", "::1"]);
  },
});

Deno.test("select() takes servers", async () => {
  await using quiet = new TCPServer(LOOPBACK, EchoLine);
  await using tcp = new AsyncTCPServer(LOOPBACK, EchoLine);
  await using udp = new UDPServer(LOOPBACK, EchoDatagram);
  assertEquals(await select([quiet, tcp, udp], [], [], 0), [[], [], []]);
  using client = await connectTo(tcp);
  assertEquals((await select([quiet, tcp, udp], [], [], 10))[0], [tcp]);
  await tell(udp, "news");
  assertEquals((await select([udp], [], [], 10))[0], [udp]);
  await udp.handleRequest();
  client.close();
  await tcp.handleRequest();
});

Deno.test("a server that is closed has nothing to serve", async () => {
  const server = new TCPServer(LOOPBACK, EchoLine);
  await server.serverClose();
  await assertRejects(() => server.serveForever(), OSError, "EBADF");
  await assertRejects(() => server.handleRequest(), OSError, "EBADF");
});

Deno.test("TCPServer.getRequest() waits if no connection is there, and takes one that is", async () => {
  await using server = new TCPServer(LOOPBACK, EchoLine);
  const waiting = server.getRequest();
  assert(waiting instanceof Promise);
  using first = await connectTo(server);
  const [request, from] = await within(waiting);
  assertEquals(from, first.getsockname());
  request.close();

  using second = await connectTo(server);
  await within(select([server], [], []));
  const got = server.getRequest();
  assert(Array.isArray(got));
  assertEquals(got[1], second.getsockname());
  got[0].close();
});

Deno.test("TCPServer.getRequest() asks a socket that has an accept of its own", async () => {
  await using server = new TCPServer(LOOPBACK, EchoLine);
  const { socket } = server;
  let count = 0;
  const { accept } = socket;
  socket.accept = () => {
    count++;
    return accept.call(socket);
  };
  using client = await connectTo(server);
  await within(select([server], [], []));
  const [request, from] = await server.getRequest();
  assertEquals(from, client.getsockname());
  assertEquals(count, 1);
  request.close();
});
