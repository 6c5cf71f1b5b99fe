/** Requests that a server turns away, and verdicts of `verifyRequest` that take time. */

import * as module from "../../mod.ts";
import {
  type Address,
  AsyncTCPServer,
  ConnectionResetError,
  type InetAddress,
  OSError,
  type RejectReason,
  SOCK_STREAM,
  Socket,
  TCPServer,
} from "../../mod.ts";
import { assertEquals, assertRejects, assertStrictEquals } from "../deps.ts";
import { haveUnix, mayFork, mayRead, unstableNet } from "../helpers/allowed.ts";
import { bytes, text } from "../helpers/bytes.ts";
import { connectTo } from "../helpers/clients.ts";
import {
  type AnyServer,
  type AnyServerClass,
  EchoLine,
  LOOPBACK,
  serving,
} from "../helpers/servers.ts";
import { newPath } from "../helpers/sockets.ts";
import { until, within } from "../helpers/within.ts";
import * as H from "../testdata/handlers.ts";

const WAYS: [prefix: string, options: object, unable: boolean][] = [
  ["Async", {}, false],
  ["Threading", { maxWorkers: 1 }, !mayRead],
  ["Forking", { maxChildren: 1 }, !mayFork],
];
const KINDS: [kind: string, address: () => Address, unable: boolean][] = [
  ["TCPServer", () => LOOPBACK, false],
  ["UDPServer", () => LOOPBACK, false],
  ["UnixStreamServer", newPath, !haveUnix],
  ["UnixDatagramServer", newPath, !haveUnix || !unstableNet],
];

function classOf(name: string): AnyServerClass {
  return (module as unknown as Record<string, AnyServerClass>)[name];
}

/** Reads to the end, or to a reset: what a client hears that is turned away. */
async function hear(client: Socket): Promise<string> {
  let heard = "";
  try {
    for (;;) {
      const data = await within(client.recv(1000));
      if (data.length === 0) return heard;
      heard += text(data);
    }
  } catch (error) {
    if (!(error instanceof OSError)) throw error;
    return heard;
  }
}

/** A client's question, and the answer: a line, or a datagram. */
async function asks(client: Socket): Promise<string> {
  await client.sendall(bytes("HELLO"));
  if (client.type === SOCK_STREAM) await client.shutdown(module.SHUT_WR);
  return client.type === SOCK_STREAM
    ? await hear(client)
    : text(await within(client.recv(100)));
}

/** A class of servers whose first request waits for its verdict. */
function waitingFirst(Server: AnyServerClass) {
  return class extends Server {
    readonly verdict = Promise.withResolvers<boolean>();
    readonly waits = Promise.withResolvers<void>();
    readonly reasons: RejectReason[] = [];
    readonly errors: unknown[] = [];
    #first = true;
    override verifyRequest(): boolean | Promise<boolean> {
      if (!this.#first) return true;
      this.#first = false;
      this.waits.resolve();
      return this.verdict.promise;
    }
    override async rejectRequest(
      request: unknown,
      _client: Address,
      reason: RejectReason,
    ) {
      this.reasons.push(reason);
      if (request instanceof Socket) await request.sendall(bytes(reason));
    }
    override handleError(_request: unknown, _client: Address, error: unknown) {
      this.errors.push(error);
    }
  };
}

for (const [prefix, options, unable] of WAYS) {
  for (const [kind, address, missing] of KINDS) {
    const name = `${prefix}${kind}`;
    Deno.test({
      name:
        `${name}: a verifyRequest() that takes time holds up no other client`,
      ignore: unable || missing,
      async fn() {
        const Handler = kind.includes("TCP") || kind.includes("Stream")
          ? H.Echo
          : H.Datagram;
        const Waiting = waitingFirst(classOf(name));
        await serving(
          new Waiting(address(), Handler, options),
          async (server) => {
            using first = await connectTo(server);
            const answer = asks(first);
            await server.waits.promise;
            using second = await connectTo(server);
            assertEquals(await asks(second), "HELLO");
            await until(() => server.status.active === 1);
            server.verdict.resolve(true);
            assertEquals(await answer, "HELLO");
            assertEquals(server.reasons, [], "reasons");
            assertEquals(server.errors, [], "errors");
          },
        );
      },
    });
  }
}

for (
  const Server of [TCPServer, AsyncTCPServer] as unknown as AnyServerClass[]
) {
  Deno.test(`${Server.name}.rejectRequest() tells a client why verifyRequest() refused it`, async () => {
    const Waiting = waitingFirst(Server);
    await serving(new Waiting(LOOPBACK, EchoLine), async (server) => {
      using first = await connectTo(server);
      await server.waits.promise;
      server.verdict.resolve(false);
      assertEquals(await hear(first), "verifyRequest");
      await until(() => server.status.active === 0);
      const { accepted, rejected } = server.status;
      assertEquals(accepted, 1, "accepted");
      assertEquals(rejected, 1, "rejected");
      assertEquals(server.reasons.length, 1, "reasons");
      using second = await connectTo(server);
      assertEquals(await asks(second), "HELLO");
    });
  });

  Deno.test(`${Server.name} reports the error of a verifyRequest() that rejects, and goes on`, async () => {
    const Waiting = waitingFirst(Server);
    await serving(new Waiting(LOOPBACK, EchoLine), async (server) => {
      using first = await connectTo(server);
      await server.waits.promise;
      const error = new Error("no database");
      server.verdict.reject(error);
      assertEquals(await hear(first), "");
      await until(() => server.status.active === 0);
      assertStrictEquals(server.errors[0], error);
      using second = await connectTo(server);
      assertEquals(await asks(second), "HELLO");
    });
  });
}

for (const name of ["AsyncTCPServer", "ForkingTCPServer"]) {
  Deno.test({
    name: `${name} resets a connection that rejectRequest() aborts`,
    ignore: name === "ForkingTCPServer" && !mayFork,
    async fn() {
      const connected = Promise.withResolvers<void>();
      class Aborting extends (classOf(name) as unknown as typeof TCPServer) {
        override async verifyRequest(request: Socket) {
          return (await request.recv(1)).length === 0; // used here, or fresh
        }
        override rejectRequest(request: Socket) {
          request.abort();
        }
      }
      class Fresh extends Aborting {
        override async verifyRequest() {
          await connected.promise; // or the client cannot even connect
          return false;
        }
      }
      for (const Server of [Fresh, Aborting]) {
        await serving(new Server(LOOPBACK, H.Echo), async (server) => {
          using client = await connectTo(server);
          const reading = client.recv(1);
          await client.sendall(bytes("x"));
          connected.resolve();
          await assertRejects(() => within(reading), ConnectionResetError);
        });
      }
    },
  });
}

Deno.test("AsyncTCPServer counts requests that wait for their verdict, and serverClose() waits for them", async () => {
  const Waiting = waitingFirst(classOf("AsyncTCPServer"));
  const limits = { maxConnections: 1, maxConnectionsPolicy: "reject" };
  const server = new Waiting(LOOPBACK, EchoLine, limits as object);
  const served = server.serveForever();
  using first = await connectTo(server);
  await server.waits.promise;
  using second = await connectTo(server);
  assertEquals(await hear(second), "maxConnections");
  const closed = server.serverClose();
  assertEquals(server.status.active, 1);
  server.verdict.resolve(true);
  assertEquals(await asks(first), "HELLO");
  assertEquals(await within(closed), { idle: 0, finished: 1, forced: 0 });
  await within(served);
});

Deno.test("AsyncTCPServer turns away at the limits if every verdict takes time", async () => {
  class Slow extends AsyncTCPServer {
    readonly reasons: RejectReason[] = [];
    override verifyRequest(): Promise<boolean> {
      return new Promise(() => {});
    }
    override rejectRequest(
      _request: Socket,
      [host]: InetAddress,
      reason: RejectReason,
    ) {
      this.reasons.push(reason);
      assertEquals(host, "127.0.0.1");
    }
  }
  for (
    const [limits, reason] of [
      [{ maxConnections: 2 }, "maxConnections"],
      [{ maxConnectionsPerClient: 2 }, "maxConnectionsPerClient"],
    ] as const
  ) {
    const server = new Slow(LOOPBACK, EchoLine, {
      maxConnectionsPolicy: "reject",
      ...limits,
    });
    const served = server.serveForever();
    using _first = await connectTo(server);
    using _second = await connectTo(server);
    await until(() => server.status.active === 2);
    using third = await connectTo(server);
    assertEquals(await hear(third), "");
    assertEquals(server.reasons, [reason]);
    const report = await within(server.serverClose({ timeout: 0.01 }));
    assertEquals(report, { idle: 0, finished: 0, forced: 2 });
    await within(served);
  }
});

Deno.test("AsyncTCPServer runs no handler of a request that was cut off before its verdict", async () => {
  for (const verdict of [true, false, new Error("late")]) {
    const Waiting = waitingFirst(classOf("AsyncTCPServer"));
    const ended = Promise.withResolvers<void>();
    class Closing extends Waiting {
      finished = 0;
      override finishRequest() {
        this.finished++;
      }
      override async shutdownRequest(request: unknown) {
        await super.shutdownRequest(request);
        ended.resolve();
      }
    }
    const server = new Closing(LOOPBACK, EchoLine);
    const served = server.serveForever();
    using client = await connectTo(server);
    await server.waits.promise;
    const report = await within(server.serverClose({ timeout: 0.01 }));
    assertEquals(report, { idle: 0, finished: 0, forced: 1 });
    assertEquals(await hear(client), "");
    if (verdict instanceof Error) server.verdict.reject(verdict);
    else server.verdict.resolve(verdict);
    await within(ended.promise);
    assertEquals(server.finished, 0, "finished");
    assertEquals(server.errors.length, 0, "errors");
    assertEquals(server.status.active, 0);
    await within(served);
  }
});

for (const [prefix, options, unable] of [["", {}, false], ...WAYS] as const) {
  Deno.test({
    name: `${prefix}TCPServer.rejectRequest() that fails costs its client only`,
    ignore: unable,
    async fn() {
      const error = new Error("cannot say why");
      class Failing extends classOf(`${prefix}TCPServer`) {
        readonly errors: unknown[] = [];
        override verifyRequest() {
          return this.status.accepted !== 1;
        }
        override rejectRequest(request: Socket): Promise<void> {
          if (this.status.accepted > 1) throw new Error("twice");
          return request.sendall(bytes("no")).then(() => {
            throw error;
          });
        }
        override handleError(_: unknown, _client: Address, error: unknown) {
          this.errors.push(error);
        }
      }
      await serving(
        new Failing(LOOPBACK, H.Echo, options) as AnyServer & Failing,
        async (server) => {
          using first = await connectTo(server);
          assertEquals(await hear(first), "no");
          using second = await connectTo(server);
          assertEquals(await asks(second), "HELLO");
          assertEquals(server.errors, [error]);
        },
      );
    },
  });
}

Deno.test("AsyncUDPServer.rejectRequest() can answer a datagram beyond the limit", async () => {
  class Busy extends module.AsyncUDPServer {
    override async rejectRequest(
      [, socket]: module.DatagramRequest,
      client: InetAddress,
      reason: RejectReason,
    ) {
      await socket.sendto(bytes(`busy: ${reason}`), client);
    }
  }
  const gate = Promise.withResolvers<void>();
  class Waiting extends module.DatagramRequestHandler {
    override async handle() {
      await gate.promise;
      await this.wfile.write("done");
    }
  }
  const limits = { maxConnections: 1, maxConnectionsPolicy: "reject" } as const;
  await serving(new Busy(LOOPBACK, Waiting, limits), async (server) => {
    using client = await connectTo(server);
    await client.sendall(bytes("one"));
    await client.sendall(bytes("two"));
    assertEquals(text(await client.recv(100)), "busy: maxConnections");
    gate.resolve();
    assertEquals(text(await client.recv(100)), "done");
  });
});

Deno.test("TCPServer.rejectRequest() hears of a request that comes as the server closes", async () => {
  for (
    const Server of [TCPServer, AsyncTCPServer] as unknown as AnyServerClass[]
  ) {
    class Closing extends waitingFirst(Server) {
      override async getRequest() {
        const got = await super.getRequest();
        void this.serverClose();
        return got;
      }
    }
    const server = new Closing(LOOPBACK, EchoLine);
    const served = server.serveForever();
    using client = await connectTo(server);
    const heard = await hear(client);
    if (Server.name === "AsyncTCPServer") assertEquals(heard, "draining"); // the close cuts the others off
    await within(served);
    await within(server.serverClose());
    assertEquals(server.reasons, ["draining"]);
  }
});

Deno.test("AsyncTCPServer cuts off a rejectRequest() that does not end, and runs 128 at a time", async () => {
  let calls = 0;
  class Stuck extends AsyncTCPServer {
    override verifyRequest() {
      return this.status.accepted > 130;
    }
    override rejectRequest(): Promise<void> {
      calls++;
      return new Promise(() => {});
    }
  }
  using clock = holdTimers(2000);
  await serving(new Stuck(LOOPBACK, EchoLine), async (server) => {
    const clients: Socket[] = [];
    for (let i = 0; i < 130; i++) clients.push(await connectTo(server));
    const heard = clients.map((client) => hear(client));
    assertEquals(await heard[129], "", "closed at once");
    using other = await connectTo(server);
    assertEquals(await asks(other), "HELLO", "the loop goes on");
    assertEquals(calls, 128, "calls");
    assertEquals(server.status.rejected, 130, "rejected");
    clock.fire();
    await Promise.all(heard);
    for (const client of clients) client.close();
  });
});

/** Holds the timers of so many milliseconds until they are told to fire, however slow the machine is. */
function holdTimers(ms: number): Disposable & { fire(): void } {
  const original = globalThis.setTimeout;
  const held: (() => void)[] = [];
  const hold = (callback: () => void, delay?: number) => {
    if (delay !== ms) return original(callback, delay);
    held.push(callback);
    return original(() => {}, 2 ** 31 - 1); // to be cleared
  };
  globalThis.setTimeout = hold as typeof setTimeout;
  const restore = () => void (globalThis.setTimeout = original);
  return {
    fire() {
      restore();
      for (const callback of held) callback();
    },
    [Symbol.dispose]: restore,
  };
}
