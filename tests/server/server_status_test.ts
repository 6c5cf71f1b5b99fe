/** The `status` of a server: its state, how its requests ended, and their bytes. */

import {
  AsyncTCPServer,
  AsyncUDPServer,
  BaseRequestHandler,
  createConnection,
  ForkingTCPServer,
  MSG_WAITALL,
  ProxyProtocolMixIn,
  relay,
  type RequestHandlerConstructor,
  serve,
  SHUT_WR,
  type Socket,
  StreamRequestHandler,
  TCPServer,
  ThreadingTCPServer,
  TimeoutError,
} from "../../mod.ts";
import {
  assert,
  assertEquals,
  assertMatch,
  assertRejects,
  assertThrows,
} from "../deps.ts";
import { mayFork, mayRead } from "../helpers/allowed.ts";
import { bytes, text } from "../helpers/bytes.ts";
import { ask, connectTo } from "../helpers/clients.ts";
import { Stderr } from "../helpers/reports.ts";
import {
  type AnyServer,
  EchoDatagram,
  LOOPBACK,
  serving,
} from "../helpers/servers.ts";
import { clientContext, serverContext } from "../helpers/ssl.ts";
import { Event, until, within } from "../helpers/within.ts";
import { connectTls, makeServer } from "../ssl/ssl_server_helpers.ts";
import { ServerMetrics } from "../../telemetry.ts";
import { memorySocketpair } from "../../testing.ts";
import { WhichWorker } from "../testdata/waiting_handlers.ts";

/** The bytes that a server has received and sent. */
function moved({ status }: AnyServer): [bytesIn: number, bytesOut: number] {
  return [status.bytesIn, status.bytesOut];
}

/** Receives to the end of the stream, and returns how much came. */
async function countAll(client: Socket): Promise<number> {
  let count = 0;
  for (;;) {
    const { length } = await client.recv(65536);
    if (length === 0) return count;
    count += length;
  }
}

/** Serves one client of a handler, and returns the bytes that the server counts once the request has ended. */
async function movedBy(
  Handler: RequestHandlerConstructor,
  talk: (client: Socket, server: AnyServer) => Promise<unknown>,
): Promise<[bytesIn: number, bytesOut: number]> {
  const server = new AsyncTCPServer(LOOPBACK, Handler) as AnyServer;
  await serving(server, async () => {
    using client = await connectTo(server);
    await talk(client, server);
    await until(() => server.status.active === 0);
  });
  return moved(server);
}

Deno.test("server.status counts the bytes of an open request, also those that nobody has taken", async () => {
  const ends = new Event();
  class Waits extends StreamRequestHandler {
    override async handle() {
      await this.wfile.write(await this.rfile.readline());
      await ends.wait();
    }
  }
  const total = await movedBy(Waits, async (client, server) => {
    await client.sendall(bytes("one\ntwo\n"));
    assertEquals(text(await client.recv(100)), "one\n");
    assertEquals(moved(server), [8, 4]);
    ends.set();
    assertEquals(await countAll(client), 0);
  });
  assertEquals(total, [8, 4]);
});

Deno.test({
  name: "server.status counts what sendfile() sends, also before it has ended",
  async fn() {
    const length = 30_000_000; // more than the system takes at once
    const file = {
      at: 0,
      seek: (at: number) => Promise.resolve(file.at = at),
      read: (p: Uint8Array) => {
        const count = Math.min(p.length, length - file.at);
        file.at += count;
        return Promise.resolve(count || null);
      },
    };
    class Sends extends BaseRequestHandler {
      override async handle() {
        await this.request.sendfile(file);
      }
    }
    const total = await movedBy(Sends, async (client, server) => {
      await client.recv(65536);
      await until(() => moved(server)[1] > 0);
      assert(moved(server)[1] < length, "all at once");
      await countAll(client);
    });
    assertEquals(total, [0, length]);
  },
});

Deno.test("server.status counts what relay() and the streams move", async () => {
  const data = new Uint8Array(1_000_003);
  class Streams extends BaseRequestHandler {
    override async handle() {
      await this.request.readable.pipeTo(this.request.writable);
    }
  }
  const backend = new AsyncTCPServer(LOOPBACK, Streams);
  class Relays extends BaseRequestHandler {
    override async handle() {
      using upstream = await createConnection(backend.serverAddress);
      await relay(this.request, upstream);
    }
  }
  await serving(backend, async () => {
    const total = await movedBy(Relays, async (client) => {
      client.sendall(data).then(() => client.shutdown(SHUT_WR));
      assertEquals(await countAll(client), data.length);
    });
    assertEquals(total, [data.length, data.length]);
    await until(() => backend.status.active === 0);
    assertEquals(moved(backend as AnyServer), [data.length, data.length]);
  });
});

Deno.test("server.status counts what a closed request still sends, and what rejectRequest() writes", async () => {
  const length = 8_000_000; // more than the system takes at once
  class Leaves extends BaseRequestHandler {
    override handle() {
      this.request.sendall(new Uint8Array(length));
      this.request.close();
    }
  }
  class Rejects extends AsyncTCPServer {
    override verifyRequest() {
      return this.status.accepted < 2;
    }
    override async rejectRequest(request: Socket) {
      await request.sendall(bytes("no"));
    }
  }
  const server = new Rejects(LOOPBACK, Leaves);
  await serving(server, async () => {
    using first = await connectTo(server);
    await until(() => server.status.accepted === 1 && !server.status.active);
    assert(server.status.bytesOut < length, "all at once");
    assertEquals(await countAll(first), length);
    await until(() => server.status.bytesOut === length);
    using second = await connectTo(server);
    assertEquals(await countAll(second), 2);
    await until(() => server.status.bytesOut === length + 2);
  });
});

Deno.test("server.status counts the bytes over TLS without the encryption", async () => {
  const server = makeServer(AsyncTCPServer, StreamEcho, {
    ssl: serverContext(),
  });
  await serving(server, async () => {
    using client = await connectTls(server);
    await client.sendall(bytes("hello\n"));
    assertEquals(text(await client.recv(100)), "hello\n");
    assertEquals(moved(server as AnyServer), [6, 6]);
    await client.shutdown(SHUT_WR);
    await countAll(client);
    await until(() => server.status.active === 0);
  });
  assertEquals(moved(server as AnyServer), [6, 6]);
});

Deno.test("server.status counts the plain bytes before and after TLS that a handler starts and ends", async () => {
  class StartsTls extends StreamRequestHandler {
    override async handle() {
      await this.wfile.write(await this.rfile.readline());
      const secured = await serverContext().wrapSocket(this.request, {
        serverSide: true,
      });
      this.request = secured;
      await secured.sendall(await secured.recv(100));
      this.request = await secured.unwrap();
      await this.request.sendall(await this.request.recv(100));
    }
  }
  const total = await movedBy(StartsTls, async (client) => {
    await client.sendall(bytes("start\n"));
    assertEquals(text(await client.recv(100)), "start\n");
    const secured = await clientContext().wrapSocket(client, {
      serverHostname: "localhost",
    });
    await secured.sendall(bytes("secret"));
    assertEquals(text(await secured.recv(100)), "secret");
    using plain = await secured.unwrap();
    await plain.sendall(bytes("plain"));
    assertEquals(text(await plain.recv(100)), "plain");
    await countAll(plain);
  });
  assertEquals(total, [17, 17]);
});

Deno.test("a socket in memory counts as one over TCP does", async () => {
  const [one, other] = memorySocketpair();
  class Server extends AsyncTCPServer {
    override getRequest(): [Socket, [string, number]] {
      if (this.status.accepted > 0) throw new Error("once");
      return [other, ["127.0.0.1", 1]];
    }
  }
  await using server = new Server(LOOPBACK, StreamEcho);
  const wakes = await connectTo(server);
  await server.handleRequest();
  await one.sendall(bytes("hello\n"));
  assertEquals(text(await one.recv(100)), "hello\n");
  assertEquals(moved(server as AnyServer), [6, 6]);
  one.close();
  wakes.close();
});

/** Sends each line back. */
class StreamEcho extends StreamRequestHandler {
  override async handle(): Promise<void> {
    for await (const line of this.rfile) await this.wfile.write(line);
  }
}

/** Asserts that each request got so far is under way or has ended in one way. */
function assertComplete({ status }: AnyServer): void {
  const { accepted, active, finished, failed, forced } = status;
  const { rejected, handshakeErrors, proxyErrors } = status;
  const ended = finished + failed + forced + rejected;
  const sum = active + ended + handshakeErrors + proxyErrors;
  assertEquals(sum, accepted, JSON.stringify(status));
}

/** Does what the first line asks for. */
class Obeys extends StreamRequestHandler {
  override async handle(): Promise<void> {
    const line = text(await this.rfile.readline()).trim();
    if (line === "throw") throw new Error("as asked");
    if (line === "wait") await new Promise(() => {});
    await this.wfile.write(`${line}\n`);
  }
}

for (const Server of [TCPServer, AsyncTCPServer]) {
  Deno.test(`${Server.name}.status counts each request once, by its end`, async () => {
    using stderr = new Stderr();
    class Picky extends Server {
      override verifyRequest() {
        return this.status.accepted !== 2;
      }
    }
    const server = new Picky(LOOPBACK, Obeys) as AnyServer;
    assertEquals(server.status.state, "created");
    const served = server.serveForever();
    assertEquals(server.status.state, "serving");
    for (const line of ["one", "two", "throw", "three"]) {
      await ask(server, `${line}\n`).catch(() => {}); // the server resets a connection with unread bytes
      await until(() => server.status.active === 0);
      assertComplete(server);
    }
    const { finished, failed, rejected, bytesIn } = server.status;
    assertEquals(finished, 2, "finished");
    assertEquals(failed, 1, "failed");
    assertEquals(rejected, 1, "rejected");
    using _waits = await connectTo(server);
    await _waits.sendall(bytes("wait\n"));
    await until(() => server.status.bytesIn === bytesIn + 5);
    const closing = server.serverClose({ timeout: 0.05 });
    assertEquals(server.status.state, "draining");
    assertEquals(await within(closing), { idle: 0, finished: 0, forced: 1 });
    assertEquals(server.status.state, "closed");
    assertEquals(server.status.forced, 1);
    assertComplete(server);
    await within(served);
    assertEquals(stderr.texts.length, 1);
  });

  Deno.test(`${Server.name}.suspend() stops accepting, and resume() lets the clients in that have waited`, async () => {
    const server = new Server(LOOPBACK, StreamEcho) as AnyServer;
    server.suspend();
    server.suspend();
    assertEquals(server.status.state, "suspended");
    const served = server.serveForever();
    const clients: Socket[] = [];
    for (let count = 0; count < 3; count++) {
      clients.push(await connectTo(server)); // the backlog takes it
    }
    for (const client of clients) await client.sendall(bytes("hello\n"));
    clients[0].settimeout(0.1);
    await assertRejects(() => clients[0].recv(100), TimeoutError);
    assertEquals(server.status.accepted, 0);
    server.resume();
    server.resume();
    for (const client of clients) {
      client.settimeout(20);
      assertEquals(text(await client.recv(100)), "hello\n");
      if (client === clients[0]) server.suspend(); // its request goes on
      if (client === clients[0]) {
        await client.sendall(bytes("again\n"));
        assertEquals(text(await client.recv(100)), "again\n");
        server.resume();
      }
      client.close();
    }
    await until(() => server.status.finished === 3);
    await within(server.shutdown());
    await within(served);
    assertEquals(server.status.state, "stopped");
    await within(server.serverClose());
    server.suspend();
    server.resume();
    assertEquals(server.status.state, "closed");
  });
}

for (const Server of [TCPServer, AsyncTCPServer]) {
  for (const stage of ["verifyRequest", "verifyPeer"] as const) {
    Deno.test(`${Server.name} counts a request once that it cuts off while ${stage} judges it`, async () => {
      const [judging, judged, ended] = [new Event(), new Event(), new Event()];
      const ssl = stage === "verifyPeer" ? serverContext() : null;
      const server = new Server(LOOPBACK, Obeys, { ssl }) as AnyServer;
      const judge = async () => {
        judging.set();
        await judged.wait();
        return false;
      };
      Object.assign(server, { [stage]: judge });
      server.shutdownRequest = () => ended.set(); // the connection is cut off already
      const served = server.serveForever();
      using _client = await (ssl === null ? connectTo : connectTls)(server);
      await judging.wait();
      const report = await within(server.serverClose({ timeout: 0.01 }));
      assertEquals(report, { idle: 0, finished: 0, forced: 1 });
      judged.set();
      await within(ended.wait());
      await within(served);
      const { accepted, forced, rejected } = server.status;
      assertEquals(accepted, 1, "accepted");
      assertEquals(forced, 1, "forced");
      assertEquals(rejected, 0, "rejected");
    });
  }
}

Deno.test("a request that waits for its header or its handshake as the server closes is turned away, and not finished", async () => {
  class Proxied extends ProxyProtocolMixIn(AsyncTCPServer) {
    static override proxyTrusted = ["127.0.0.1"];
  }
  for (
    const server of [
      new Proxied(LOOPBACK, Obeys),
      new AsyncTCPServer(LOOPBACK, Obeys, { ssl: serverContext() }),
    ] as unknown as AnyServer[]
  ) {
    const served = server.serveForever();
    const clients = await Promise.all([1, 2, 3].map(() => connectTo(server)));
    await until(() => server.status.active === 3);
    const report = await within(server.serverClose());
    assertEquals(report, { idle: 0, finished: 0, forced: 0 });
    assertEquals(server.status.rejected, 3);
    assertComplete(server);
    await within(served);
    for (const client of clients) client.close();
  }
});

Deno.test("a request is counted as what it is, also if closeRequest throws", async () => {
  class Proxied extends ProxyProtocolMixIn(AsyncTCPServer) {
    static override proxyTrusted = ["127.0.0.1"];
  }
  for (
    const [server, counter, ended] of [
      [
        new Proxied(LOOPBACK, Obeys),
        "proxyErrors",
        /requests_ended_total.*"proxy"} 1/,
      ],
      [
        new AsyncTCPServer(LOOPBACK, Obeys, { ssl: serverContext() }),
        "handshakeErrors",
        /requests_ended_total.*"handshake"} 1/,
      ],
    ] as unknown as [AnyServer, "proxyErrors" | "handshakeErrors", RegExp][]
  ) {
    using stderr = new Stderr();
    server.closeRequest = () => {
      throw new Error("closeRequest");
    };
    await serving(server, async () => {
      using client = await connectTo(server);
      await client.sendall(bytes("neither a header nor a handshake\r\n"));
      await until(() => server.status.active === 0);
      assertEquals(server.status[counter], 1);
      assertComplete(server);
      using metrics = new ServerMetrics(server);
      assertMatch(metrics.prometheus(), ended);
    });
    assert(stderr.texts.join("").includes("Error: closeRequest"));
  }
});

Deno.test("a suspended server leaves the other servers of serve() alone, and closes", async () => {
  const servers = [Obeys, Obeys].map((Handler) =>
    new AsyncTCPServer(LOOPBACK, Handler)
  );
  const stop = new AbortController();
  const served = serve(servers, { signal: stop.signal });
  servers[0].suspend();
  using waits = await connectTo(servers[0]);
  assertEquals(await ask(servers[1], "hello\n"), "hello\n");
  stop.abort();
  const report = await within(served);
  assertEquals(report, { idle: 0, finished: 0, forced: 0 });
  assertEquals(servers[0].status.accepted, 0);
  await waits.recv(1).catch(() => {}); // its connection is closed, or reset
});

Deno.test("handleRequest() of a suspended server waits, and calls handleTimeout() in time", async () => {
  let timeouts = 0;
  class Server extends TCPServer {
    override handleTimeout() {
      timeouts++;
    }
  }
  await using server = new Server(LOOPBACK, StreamEcho, { timeout: 0.05 });
  using client = await connectTo(server);
  await client.shutdown(SHUT_WR);
  server.suspend();
  await within(server.handleRequest());
  assertEquals(timeouts, 1, "timeouts");
  assertEquals(server.status.accepted, 0, "accepted");
  server.timeout = null;
  const handled = server.handleRequest();
  server.resume();
  await within(handled);
  assertEquals(timeouts, 1, "timeouts");
  assertEquals(server.status.accepted, 1, "accepted");
  server.suspend();
  server.timeout = 0.05;
  await within(server.handleRequest());
  assertEquals(timeouts, 2, "timeouts");
  assertEquals(server.status.limits.maxConnections, 0, "maxConnections");
});

Deno.test("a suspended UDP server receives later what has come meanwhile", async () => {
  const server = new AsyncUDPServer(LOOPBACK, EchoDatagram);
  await serving(server, async () => {
    server.suspend();
    using client = await connectTo(server);
    await client.sendall(bytes("one"));
    client.settimeout(0.1);
    await assertRejects(() => client.recv(100), TimeoutError);
    assertEquals(server.status.accepted, 0);
    server.resume();
    client.settimeout(20);
    assertEquals(text(await client.recv(100)), "one");
  });
});

Deno.test("server.waitForConnections() resolves when at most so many requests are open", async () => {
  const server = new AsyncTCPServer(LOOPBACK, StreamEcho);
  await serving(server, async () => {
    await server.waitForConnections(0);
    const clients = [await connectTo(server), await connectTo(server)];
    await until(() => server.status.active === 2);
    await server.waitForConnections(2);
    let fewer = false;
    const waits = server.waitForConnections(1).then(() => fewer = true);
    const none = server.waitForConnections(0, { timeout: 20 });
    await assertRejects(
      () => server.waitForConnections(1, { timeout: 0.01 }),
      TimeoutError,
      "2 requests are open after 0.01 s",
    );
    assertEquals(fewer, false);
    clients[0].close();
    await within(waits);
    assertEquals(server.status.active, 1);
    const stop = new AbortController();
    const aborted = server.waitForConnections(0, { signal: stop.signal });
    const reason = new Error("no longer");
    stop.abort(reason);
    assertEquals(await aborted.catch((error) => error), reason);
    clients[1].close();
    await within(none);
    for (const count of [-1, 1.5, NaN, "1" as unknown as number]) {
      await assertRejects(() => server.waitForConnections(count), RangeError);
    }
    const timeout = { timeout: -1 };
    await assertRejects(
      () => server.waitForConnections(0, timeout),
      RangeError,
    );
  });
});

Deno.test("settings of a server are checked when they are assigned, while it serves too", async () => {
  const server = new AsyncTCPServer(LOOPBACK, StreamEcho);
  // deno-lint-ignore no-explicit-any
  const any = server as any;
  await serving(server, async () => {
    for (
      const [name, value, message] of [
        ["timeout", -1, "Cannot set the timeout"],
        ["closeTimeout", "5", "Cannot set the timeout"],
        ["maxConnections", 0, "Cannot set maxConnections"],
        ["maxConnectionsPerClient", 1.5, "Cannot set maxConnectionsPerClient"],
        ["maxConnectionsPolicy", "drop", "Cannot set maxConnectionsPolicy"],
        ["blockOnClose", "no", "Cannot set blockOnClose"],
        ["requestQueueSize", 5, "the server is bound already"],
        ["allowReuseAddress", true, "the server is bound already"],
        ["allowReusePort", true, "the server is bound already"],
        ["addressFamily", 2, "the server is bound already"],
        ["socketType", 1, "the server is bound already"],
        ["pathMode", 0o600, "the server is bound already"],
        ["replaceStalePath", true, "the server is bound already"],
      ] as const
    ) {
      const before = any[name];
      assertThrows(() => any[name] = value, Error, message);
      assertEquals(any[name], before, name);
    }
    server.closeTimeout = 3;
    assertEquals(server.closeTimeout, 3);
    await server.shutdown();
  });
  const unbound = new AsyncTCPServer(LOOPBACK, StreamEcho, {
    bindAndActivate: false,
  });
  unbound.requestQueueSize = 7;
  assertEquals(unbound.requestQueueSize, 7);
  await unbound.serverClose();
});

Deno.test("a lower maxConnections ends no request, and lets no other in until there is room", async () => {
  const server = new AsyncTCPServer(LOOPBACK, StreamEcho);
  await serving(server, async () => {
    const [first, second] = [await connectTo(server), await connectTo(server)];
    await until(() => server.status.active === 2);
    server.maxConnections = 1;
    const third = await connectTo(server);
    await third.sendall(bytes("third\n"));
    for (const client of [first, second]) {
      await client.sendall(bytes("on\n"));
      assertEquals(text(await client.recv(100)), "on\n");
      assertEquals(server.status.active, 2);
    }
    first.close();
    await until(() => server.status.active === 1);
    await second.sendall(bytes("on\n"));
    assertEquals(text(await second.recv(100)), "on\n");
    assertEquals(server.status.accepted, 2);
    second.close();
    assertEquals(text(await third.recv(100)), "third\n");
    third.close();
  });
});

Deno.test({
  name: "a lower maxWorkers lets workers end when they have no request",
  ignore: !mayRead,
  async fn() {
    const options = { maxWorkers: 2 };
    await using server = new ThreadingTCPServer(LOOPBACK, WhichWorker, options);
    const served = server.serveForever();
    const talk = async () => {
      const pair = () => Promise.all([connectTo(server), connectTo(server)]);
      const ids = async (clients: Socket[]) => {
        const said = clients.map(async (client) => {
          return text(await client.recv(36, MSG_WAITALL));
        });
        return new Set(await Promise.all(said));
      };
      const clients = await pair();
      assertEquals((await ids(clients)).size, 2);
      server.maxWorkers = 1;
      for (const client of clients) {
        await client.sendall(bytes("on\n")); // both go on
        assertEquals(text(await client.recv(3, MSG_WAITALL)), "on\n");
        client.close();
      }
      await until(() => server.status.active === 0);
      const later = await pair();
      assertEquals((await ids(later)).size, 1);
      for (const client of later) client.close();
      for (const value of [0, 1.5, NaN]) {
        assertThrows(() => server.maxWorkers = value, RangeError);
      }
      assertThrows(() => server.workerTimeout = -1, RangeError);
      const wrong = { stack: 1 } as never;
      assertThrows(() => server.resourceLimits = wrong, TypeError);
      const no = "no" as unknown as boolean;
      assertThrows(() => server.daemonThreads = no, TypeError);
      assertEquals(server.maxWorkers, 1, "maxWorkers");
      assertEquals(server.workerTimeout, null, "workerTimeout");
    };
    await within(talk(), 60_000); // the first worker of a run has its types checked
    await server.shutdown();
    await within(served);
  },
});

Deno.test({
  name: "a lower maxChildren lets children end when they have no request",
  ignore: !mayFork,
  async fn() {
    const options = { maxChildren: 2 };
    const server = new ForkingTCPServer(LOOPBACK, WhichWorker, options);
    await serving(server as AnyServer, async () => {
      const clients = await Promise.all([
        connectTo(server),
        connectTo(server),
      ]);
      for (const client of clients) await client.recv(36, MSG_WAITALL);
      await until(() => server.activeChildren!.size === 2);
      server.maxChildren = 1;
      for (const client of clients) {
        await client.sendall(bytes("on\n"));
        assertEquals(text(await client.recv(3, MSG_WAITALL)), "on\n");
        client.close();
      }
      await until(() => server.activeChildren!.size === 1);
      using client = await connectTo(server);
      assertEquals((await client.recv(36, MSG_WAITALL)).length, 36);
    });
  },
});
