/** Servers with `ssl`: when the handshake is made, what it counts for, and what becomes of clients that make none. */

import {
  AsyncTCPServer,
  AsyncUnixStreamServer,
  ForkingTCPServer,
  type InetAddress,
  MSG_PEEK,
  OSError,
  setdefaulttimeout,
  type Socket,
  StreamRequestHandler,
  ThreadingTCPServer,
} from "../../mod.ts";
import { TCPServer, UDPServer, UnixStreamServer } from "../../server.ts";
import {
  PROTOCOL_TLS_CLIENT,
  PROTOCOL_TLS_SERVER,
  SSLContext,
  SSLError,
  SSLSocket,
} from "../../ssl.ts";
import { assert, assertEquals, assertThrows } from "../deps.ts";
import { haveUnix, mayFork, mayRead } from "../helpers/allowed.ts";
import { bytes, text } from "../helpers/bytes.ts";
import { connectTo } from "../helpers/clients.ts";
import { descriptors } from "../helpers/descriptors.ts";
import { Stderr } from "../helpers/reports.ts";
import {
  type AnyServerClass,
  EchoDatagram,
  EchoLine,
  LOOPBACK,
  serving,
} from "../helpers/servers.ts";
import { newPath } from "../helpers/sockets.ts";
import { clientContext, serverContext } from "../helpers/ssl.ts";
import { Event, until, within } from "../helpers/within.ts";
import {
  askTls,
  connectTls,
  makeServer,
  type NotingServer,
} from "./ssl_server_helpers.ts";
import { TlsLines } from "../testdata/ssl_handlers.ts";

/** The ways to run. */
const WAYS = [
  TCPServer,
  AsyncTCPServer,
  ThreadingTCPServer,
  ForkingTCPServer,
] as unknown as AnyServerClass[];

const ignore = ({ name }: { name: string }) =>
  /^Thread/.test(name) && !mayRead || /^Fork/.test(name) && !mayFork;

/** Returns a context for servers with a limit for the handshake. */
function impatient(seconds: number): SSLContext {
  const context = serverContext();
  context.handshakeTimeout = seconds;
  return context;
}

/** How many clients stall at a server at a time. */
const STALLED = 50;

Deno.test("servers serve others while many clients stall, and have their descriptors back in time", async () => {
  using stderr = new Stderr();
  const [patience, haste] = [impatient(60), impatient(0.5)];
  const servers = WAYS.filter((Server) => !ignore(Server))
    .map((Server) => makeServer(Server, TlsLines, { ssl: patience }));
  const served = servers.map((server) => server.serveForever());
  const clients: Socket[] = [];
  const stall = (count: number) =>
    Promise.all(servers.map(async (server) => {
      for (let i = 0; i < count; i++) clients.push(await connectTo(server));
    }));
  try {
    await stall(STALLED);
    for (const server of servers) {
      await until(() => server.status.active === STALLED);
      for (const line of ["one", "two", "three"]) {
        assertEquals(await within(askTls(server, line), 60_000), line);
      }
      assert(server.status.active >= STALLED); // all of them, and perhaps the last line
      assertEquals(server.handshakes, []);
      server.ssl = haste;
    }
    await stall(STALLED);
    for (const server of servers) {
      await until(() => server.handshakes.length === STALLED);
      assertEquals(new Set(server.handshakes), new Set(["ETIMEDOUT"]));
      assertEquals(server.status.handshakeErrors, STALLED);
      await until(() => server.status.active === STALLED);
    }
    const most = clients.length + 1.5 * STALLED * servers.length;
    await until(() => (descriptors() ?? 0) < most);
  } finally {
    for (const server of servers) await within(server.serverClose());
    for (const client of clients) client.close();
  }
  await within(Promise.all(served));
  for (const server of servers) assertEquals(server.errors, []);
  assertEquals(stderr.texts, []);
});

Deno.test("TCPServer with ssl handles one request at a time, and makes handshakes meanwhile", async () => {
  const begun: Event[] = [new Event(), new Event()];
  const go = new Event();
  let running = 0;
  class Slow extends StreamRequestHandler {
    override async handle() {
      assertEquals(++running, 1);
      begun.shift()!.set();
      await go.wait();
      await this.wfile.write(await this.rfile.readline());
      running--;
    }
  }
  const server = makeServer(TCPServer as unknown as AnyServerClass, Slow);
  const [first, second] = begun;
  await serving(server, async () => {
    const plain = await Promise.all([1, 2].map(() => connectTo(server)));
    await until(() => server.status.active === 2); // both make their handshakes
    const options = { serverHostname: "localhost" };
    const clients = await within(
      Promise.all(
        plain.map((socket) => clientContext().wrapSocket(socket, options)),
      ),
    );
    await first.wait();
    await Promise.all(clients.map((client) => client.sendall(bytes("x\n"))));
    assertEquals(second.isSet, false);
    go.set();
    for (const client of clients) {
      assertEquals(text(await client.recv(9)), "x\n");
      client.close();
    }
  });
  assertEquals(server.errors, []);
});

Deno.test("TCPServer.handleRequest() makes the handshake of its one request", async () => {
  await using server = makeServer(
    TCPServer as unknown as AnyServerClass,
    TlsLines,
    { ssl: impatient(0.2) },
  );
  using _silent = await connectTo(server);
  await within(server.handleRequest());
  assertEquals(server.handshakes, ["ETIMEDOUT"]);
  server.ssl = serverContext();
  const asked = (async () => {
    using client = await connectTls(server);
    await client.sendall(bytes("hello\n"));
    const answer = text(await client.recv(100));
    client.close();
    return answer;
  })();
  await within(server.handleRequest());
  assertEquals(await asked, "hello\n");
});

Deno.test("AsyncTCPServer counts a handshake for its limits", async () => {
  const make = (options: object) =>
    makeServer(
      AsyncTCPServer as unknown as AnyServerClass,
      TlsLines,
      { ssl: impatient(0.5), ...options },
    );
  const waiting = make({ maxConnections: 2 });
  await serving(waiting, async () => {
    using _one = await connectTo(waiting);
    using _two = await connectTo(waiting);
    await until(() => waiting.status.active === 2);
    waiting.ssl = serverContext();
    const asked = askTls(waiting, "hello"); // waits in the backlog
    await until(() => waiting.status.handshakeErrors > 0);
    assertEquals(await within(asked), "hello");
    assertEquals(waiting.status.rejected, 0);
  });
  for (
    const limits of [
      { maxConnections: 1, maxConnectionsPolicy: "reject" },
      { maxConnectionsPerClient: 1 },
    ]
  ) {
    const server = make({ ...limits, ssl: serverContext() });
    await serving(server, async () => {
      using stalled = await connectTo(server);
      await until(() => server.status.active === 1);
      using more = await connectTo(server);
      assertEquals((await within(more.recv(1))).length, 0); // closed, without TLS
      assertEquals(server.status.rejected, 1);
      stalled.close();
      await until(() => server.status.active === 0);
      assertEquals(server.handshakes, [
        "ECONNRESET UNEXPECTED_EOF_WHILE_READING",
      ]);
    });
  }
});

/** A class that notes the calls of its hooks, and rejects where it is told to. */
function choosy(Server: AnyServerClass) {
  return class extends (Server as unknown as typeof TCPServer) {
    readonly calls: unknown[] = [];
    /** The hook that rejects, or `"throw"`. */
    reject = "";
    override verifyRequest(request: Socket) {
      this.calls.push(["verifyRequest", request instanceof SSLSocket]);
      return this.reject !== "verifyRequest";
    }
    override async verifyPeer(request: SSLSocket, address: InetAddress) {
      this.calls.push(["verifyPeer", request.version(), address[0]]);
      await undefined;
      if (this.reject === "throw") throw new Error("no");
      return this.reject !== "verifyPeer";
    }
    override processRequest(request: Socket, address: InetAddress) {
      this.calls.push(["processRequest", request instanceof SSLSocket]);
      return super.processRequest(request, address);
    }
    override async shutdownRequest(request: Socket) {
      this.calls.push(["shutdownRequest", request instanceof SSLSocket]);
      await super.shutdownRequest(request);
    }
  };
}

type Choosy = NotingServer & InstanceType<ReturnType<typeof choosy>>;

/** Clients that are no TLS, or go before they are. */
async function failHandshakes(server: Choosy): Promise<void> {
  using http = await connectTo(server);
  await http.sendall(bytes("GET / HTTP/1.0\r\n\r\n"));
  await until(() => server.handshakes.length === 1);
  (await connectTo(server)).close();
  await until(() => server.handshakes.length === 2);
  using half = await connectTo(server);
  await half.sendall(Uint8Array.of(22, 3, 1, 0, 100, 1));
  half.close();
  await until(() => server.handshakes.length === 3);
  assertEquals(server.handshakes.map((error) => error.split(" ")[0]), [
    "EPROTO",
    "ECONNRESET",
    "ECONNRESET",
  ]);
  server.handshakes.length = 0;
}

/** Clients that each hook rejects, before the handshake and after it. */
async function rejectClients(server: Choosy): Promise<void> {
  server.reject = "verifyRequest";
  using plain = await connectTo(server);
  assertEquals((await within(plain.recv(1))).length, 0);
  assertEquals(server.status.rejected, 1);
  for (server.reject of ["verifyPeer", "throw"]) {
    using client = await connectTls(server);
    assertEquals((await within(client.recv(1))).length, 0);
  }
  await until(() => server.status.active === 0);
  assertEquals(server.status.rejected, 2);
  assertEquals(server.errors.map(({ message }) => message), ["no"]);
  server.errors.length = 0;
  server.reject = "";
}

for (const Server of WAYS) {
  Deno.test({
    name:
      `${Server.name} calls the hooks of TLS in their order, closes the clients that they reject, and counts what is no handshake`,
    ignore: ignore(Server),
    async fn() {
      using stderr = new Stderr();
      const Class = choosy(Server) as unknown as AnyServerClass;
      const server = makeServer(Class, TlsLines) as Choosy;
      await serving(server, async () => {
        await failHandshakes(server);
        await rejectClients(server);
        server.calls.length = 0;
        assertEquals(await askTls(server, "hello"), "hello");
        await until(() => server.calls.length === 4);
        assertEquals(server.calls, [
          ["verifyRequest", false],
          ["verifyPeer", "TLSv1.3", "127.0.0.1"],
          ["processRequest", true],
          ["shutdownRequest", true],
        ]);
      });
      assertEquals(server.handshakes, [], "handshakes");
      assertEquals(server.errors, [], "errors");
      assertEquals(stderr.texts, [], "texts");
    },
  });

  Deno.test({
    name: `${Server.name} ends the handshakes under way when it closes`,
    ignore: ignore(Server),
    async fn() {
      using stderr = new Stderr();
      const server = makeServer(Server, TlsLines);
      const served = server.serveForever();
      using stalled = await connectTo(server);
      await until(() => server.status.active === 1);
      const report = await within(server.serverClose());
      assertEquals(report.forced, 0);
      await within(served);
      await stalled.recv(1).catch((error) => assert(error instanceof OSError));
      const { rejected, handshakeErrors } = server.status;
      assertEquals({ rejected, handshakeErrors }, {
        rejected: 1,
        handshakeErrors: 0,
      });
      assertEquals(server.handshakes, []);
      assertEquals(server.errors, [], "errors");
      assertEquals(stderr.texts, [], "texts");
    },
  });
}

for (const verdict of [true, false]) {
  Deno.test(`a client whose verifyPeer() returns ${verdict} once the server closes is rejected for that`, async () => {
    const asked = new Event();
    const answer = new Event<boolean>();
    const reasons: string[] = [];
    class Slow extends AsyncTCPServer {
      override verifyPeer(): Promise<boolean> {
        asked.set();
        return answer.wait();
      }
      override rejectRequest(_: Socket, _from: InetAddress, reason: string) {
        reasons.push(reason);
      }
    }
    const server = new Slow(LOOPBACK, TlsLines, { ssl: serverContext() });
    const served = server.serveForever();
    using client = await connectTls(server);
    await asked.wait();
    const closing = server.serverClose();
    answer.set(verdict);
    await within(client.recv(1)).catch((error) =>
      assert(error instanceof OSError)
    );
    await within(closing);
    await within(served);
    assertEquals(reasons, ["draining"]);
    assertEquals(server.status.rejected, 1);
  });
}

Deno.test("an error of handleHandshakeError is printed, and the server goes on", async () => {
  for (const Server of [TCPServer, AsyncTCPServer]) {
    using stderr = new Stderr();
    class Odd extends (Server as typeof TCPServer) {
      override handleHandshakeError() {
        throw new Error("of the hook");
      }
    }
    const server = new Odd(["127.0.0.1", 0], TlsLines, {
      ssl: serverContext(),
    });
    await serving(server, async () => {
      (await connectTo(server)).close();
      await until(() => stderr.texts.length > 0);
      assertEquals(await askTls(server, "hello"), "hello");
    });
    assertEquals(stderr.texts.length, 1);
    assert(stderr.texts[0].includes("of the hook"));
  }
});

Deno.test("a client whose handshake the timeout of its socket ends is closed", async () => {
  const server = makeServer(
    AsyncTCPServer as unknown as AnyServerClass,
    TlsLines,
    { ssl: impatient(60) },
  );
  setdefaulttimeout(0.2);
  try {
    await serving(server, async () => {
      using client = await connectTo(server);
      await until(() => server.handshakes.length === 1);
      const end = await client.recv(1).catch((error) => error.code);
      assert(end === "ECONNRESET" || end.length === 0);
    });
  } finally {
    setdefaulttimeout(null);
  }
  assertEquals(server.handshakes, ["ETIMEDOUT"]);
});

Deno.test("verifyRequest may look at the first bytes of the handshake", async () => {
  const seen: number[] = [];
  class Peeking extends AsyncTCPServer {
    override async verifyRequest(request: Socket) {
      seen.push((await request.recv(3, MSG_PEEK))[0]);
      return true;
    }
  }
  const server = makeServer(Peeking as unknown as AnyServerClass, TlsLines);
  await serving(server, async () => {
    assertEquals(await askTls(server, "hello"), "hello");
  });
  assertEquals(seen, [22]);
});

for (const Server of [UnixStreamServer, AsyncUnixStreamServer]) {
  Deno.test({
    name: `${Server.name} serves over TLS`,
    ignore: !haveUnix,
    async fn() {
      const address = newPath();
      const Class = Server as unknown as AnyServerClass;
      const server = makeServer(Class, TlsLines, {}, address);
      await serving(server, async () => {
        assertEquals(await askTls(server, "hello"), "hello");
      });
    },
  });
}

Deno.test("a subclass says its ssl as a static field", async () => {
  class Secure extends AsyncTCPServer {
    static override ssl = serverContext();
  }
  const server = new Secure(["127.0.0.1", 0], TlsLines);
  await serving(server, async () => {
    assertEquals(await askTls(server, "hello"), "hello");
  });
});

Deno.test("a server refuses an ssl that cannot serve", () => {
  const make = (ssl: unknown, Server: unknown = TCPServer) => () =>
    new (Server as AnyServerClass)(
      LOOPBACK,
      Server === UDPServer ? EchoDatagram : EchoLine,
      { ssl } as object,
    );
  assertThrows(make({ cert: "" }), TypeError, "ssl must be an SSLContext");
  const client = new SSLContext(PROTOCOL_TLS_CLIENT);
  assertThrows(make(client), TypeError, "PROTOCOL_TLS_CLIENT");
  const empty = new SSLContext(PROTOCOL_TLS_SERVER);
  assertThrows(make(empty), SSLError, "loadCertChain");
  assertThrows(make(serverContext(), UDPServer), TypeError, "datagrams");
});
