/** Servers of datagrams, whose stages follow one another at once where none has to wait. */

import {
  BaseRequestHandler,
  BlockingStreamRequestHandler,
  DatagramRequestHandler,
  StreamRequestHandler,
} from "../../handlers.ts";
import {
  AsyncTCPServer,
  AsyncUDPServer,
  AsyncUnixDatagramServer,
  ForkingUDPServer,
  ForkingUnixDatagramServer,
  ThreadingUDPServer,
  ThreadingUnixDatagramServer,
} from "../../mixins.ts";
import {
  type DatagramRequest,
  type DatagramServer,
  TCPServer,
  UDPServer,
  UnixDatagramServer,
  UnixStreamServer,
} from "../../server.ts";
import {
  AF_UNIX,
  type InetAddress,
  type OSError,
  select,
  SOCK_DGRAM,
  Socket,
} from "../../socket.ts";
import {
  assert,
  assertEquals,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "../deps.ts";
import {
  granted,
  haveUnix,
  mayFork,
  mayRead,
  unstableNet,
} from "../helpers/allowed.ts";
import { bytes, text } from "../helpers/bytes.ts";
import { ask, connectTo } from "../helpers/clients.ts";
import { Stderr } from "../helpers/reports.ts";
import {
  type AnyServerClass,
  EchoDatagram,
  LOOPBACK,
  serving,
} from "../helpers/servers.ts";
import { newPath } from "../helpers/sockets.ts";
import { Event, until, within } from "../helpers/within.ts";
import { AnswersDatagrams } from "../testdata/datagram_handlers.ts";

class DatagramHandler extends BaseRequestHandler<DatagramRequest> {
  /** The datagram as text. */
  get question(): string {
    return text(this.request[0]);
  }

  /** Answers the datagram. */
  answer(words: string): Promise<number> {
    return this.request[1].sendto(bytes(words), this.clientAddress);
  }
}

/** Answers, and waits until the answer is sent. */
class Echo extends DatagramHandler {
  override async handle() {
    await this.answer(this.question);
  }
}

/** Answers, and does not wait: no stage gives a promise. */
class QuickEcho extends DatagramHandler {
  override handle() {
    this.answer(this.question);
  }
}

const VERDICTS: Record<
  string,
  (question: string) => boolean | Promise<boolean>
> = {
  "sync": (question) => question !== "no",
  "async": (question) => Promise.resolve(question !== "no"),
};

for (const Server of [UDPServer, AsyncUDPServer]) {
  const { name } = Server;

  for (const Handler of [Echo, QuickEcho]) {
    Deno.test(`${name} answers one datagram after the other with ${Handler.name}`, async () => {
      await serving(new Server(LOOPBACK, Handler), async (server) => {
        using client = await connectTo(server);
        for (let i = 0; i < 100; i++) {
          await client.sendall(bytes(`${i}`));
          assertEquals(text(await client.recv(10)), `${i}`);
        }
        await until(() => server.status.active === 0);
        assertEquals(server.status.accepted, 100);
      });
    });
  }

  for (const [how, verify] of Object.entries(VERDICTS)) {
    Deno.test(`${name}.verifyRequest() may be ${how}`, async () => {
      class Picky extends Server {
        override verifyRequest([packet]: DatagramRequest) {
          return verify(text(packet));
        }
      }
      await serving(new Picky(LOOPBACK, Echo), async (server) => {
        using client = await connectTo(server);
        await client.sendall(bytes("no"));
        await client.sendall(bytes("yes"));
        assertEquals(text(await client.recv(10)), "yes");
        assertEquals(server.status.rejected, 1, "rejected");
        assertEquals(server.status.accepted, 2, "accepted");
      });
    });
  }

  for (const how of ["throws", "rejects"]) {
    Deno.test(`${name} reports what verifyRequest() ${how}, and goes on`, async () => {
      const log: string[] = [];
      class Failing extends Server {
        override verifyRequest([packet]: DatagramRequest) {
          if (text(packet) !== "bad") return true;
          if (how === "rejects") return Promise.reject(new Error("verify"));
          throw new Error("verify");
        }
        override handleError(
          _: DatagramRequest,
          _from: InetAddress,
          error: Error,
        ) {
          log.push(error.message);
        }
        override closeRequest([packet]: DatagramRequest) {
          log.push(`closed ${text(packet)}`);
        }
      }
      await serving(new Failing(LOOPBACK, QuickEcho), async (server) => {
        using client = await connectTo(server);
        await client.sendall(bytes("bad"));
        assertEquals(await ask(server, "good"), "good");
        await until(() => server.status.active === 0);
      });
      const ofBad = log.filter((what) => what !== "closed good"); // which may come first, in a task of its own
      assertEquals(ofBad, ["verify", "closed bad"]);
      assertEquals(log.length, 3);
    });
  }

  Deno.test(`${name} reports what a handler that is not async throws, and goes on`, async () => {
    const reports: unknown[] = [];
    class Throwing extends QuickEcho {
      override handle() {
        if (this.question === "bad") throw new Error("handle");
        super.handle();
      }
    }
    class Reporting extends Server {
      override handleError(
        _: DatagramRequest,
        _from: InetAddress,
        error: Error,
      ) {
        reports.push(error.message);
      }
    }
    await serving(new Reporting(LOOPBACK, Throwing), async (server) => {
      using client = await connectTo(server);
      await client.sendall(bytes("bad"));
      assertEquals(await ask(server, "good"), "good");
      await until(() => server.status.active === 0);
    });
    assertEquals(reports, ["handle"]);
  });

  Deno.test(`${name}.processRequest() may do something before and after, and wait`, async () => {
    const log: string[] = [];
    class Around extends Server {
      override async processRequest(
        request: DatagramRequest,
        from: InetAddress,
      ) {
        await Promise.resolve();
        log.push("before");
        await super.processRequest(request, from);
        log.push("after");
      }
    }
    await serving(new Around(LOOPBACK, QuickEcho), async (server) => {
      assertEquals(await ask(server, "x"), "x");
      await until(() => log.length === 2);
      assertEquals(server.status.active, 0);
    });
    assertEquals(log, ["before", "after"]);
  });

  Deno.test(`${name} reports an answer that cannot be sent, and goes on`, async () => {
    const reports: unknown[] = [];
    class TooLarge extends DatagramHandler {
      override async handle() {
        if (this.question === "large") await this.answer("x".repeat(70_000));
        await this.answer("small");
      }
    }
    class Reporting extends Server {
      override handleError(
        _: DatagramRequest,
        _from: InetAddress,
        error: OSError,
      ) {
        reports.push(error.code);
      }
    }
    await serving(new Reporting(LOOPBACK, TooLarge), async (server) => {
      using client = await connectTo(server);
      await client.sendall(bytes("large"));
      assertEquals(await ask(server, "x"), "small");
    });
    assertEquals(reports, ["EMSGSIZE"]);
  });

  Deno.test(`${name}.serverClose() lets the handler of a datagram answer`, async () => {
    const began = new Event<AbortSignal>();
    class Draining extends DatagramHandler {
      override async handle() {
        const { signal } = this;
        const drained = new Promise((end) =>
          signal.addEventListener("abort", end)
        );
        began.set(signal);
        await drained;
        await this.answer("drained");
      }
    }
    const server = new Server(LOOPBACK, Draining);
    const served = server.serveForever();
    const answer = ask(server, "x");
    assertEquals((await began.wait()).aborted, false);
    assertEquals(await within(server.serverClose()), {
      idle: 0,
      finished: 1,
      forced: 0,
    });
    assertEquals(await within(answer), "drained");
    await within(served);
  });
}

Deno.test("UDPServer.getRequest() waits if no datagram is there, and takes one that is", async () => {
  await using server = new UDPServer(LOOPBACK, Echo);
  using client = await connectTo(server);
  const waiting = server.getRequest();
  assert(waiting instanceof Promise);
  await client.sendall(bytes("one"));
  const [[packet, socket], from] = await within(waiting);
  assertEquals(text(packet), "one", "packet");
  assertEquals(socket, server.socket, "socket");
  assertEquals(from, client.getsockname());
});

Deno.test("UDPServer.maxPacketSize may be changed, and is checked at once", async () => {
  await using server = new UDPServer(LOOPBACK, Echo);
  assertThrows(
    () => server.maxPacketSize = -1,
    RangeError,
    "Cannot set maxPacketSize: the number of bytes must not be negative, got -1",
  );
  assertEquals(server.maxPacketSize, 8192);
});

Deno.test("AsyncUDPServer finds the signal of each of several datagrams that are under way", async () => {
  const seen: [string, AbortSignal][] = [];
  const ready = new Event();
  class Late extends DatagramHandler {
    override async handle() {
      await ready.wait();
      seen.push([this.question, this.signal]);
      await this.answer(this.question);
    }
  }
  await serving(new AsyncUDPServer(LOOPBACK, Late), async (server) => {
    const questions = ["one", "two", "three"];
    const answers = questions.map((question) => ask(server, question));
    await until(() => server.status.active === 3);
    ready.set();
    assertEquals(await Promise.all(answers), questions);
  });
  assertEquals(new Set(seen.map(([, signal]) => signal)).size, 3);
  assertEquals(seen.map(([question]) => question).sort(), [
    "one",
    "three",
    "two",
  ]);
});

for (const policy of ["wait", "reject"] as const) {
  Deno.test(`AsyncUDPServer has at most maxConnections datagrams under way if the policy is ${policy}`, async () => {
    const release = new Event();
    let most = 0;
    const server = new AsyncUDPServer(
      LOOPBACK,
      class extends Echo {
        override async handle() {
          most = Math.max(most, server.status.active);
          await release.wait();
          await super.handle();
        }
      },
      { maxConnections: 1, maxConnectionsPolicy: policy },
    );
    await serving(server, async () => {
      const [first, second] = [
        await connectTo(server),
        await connectTo(server),
      ];
      using _first = first;
      using _second = second;
      await first.sendall(bytes("one"));
      await until(() => server.status.active === 1);
      await second.sendall(bytes("two"));
      if (policy === "reject") {
        await until(() => server.status.rejected === 1);
      }
      release.set();
      assertEquals(text(await first.recv(10)), "one");
      await until(() => server.status.active === 0);
      const answered: Socket = policy === "reject" ? first : second;
      if (policy === "reject") await first.sendall(bytes("two"));
      assertEquals(text(await answered.recv(10)), "two");
    });
    assertEquals(most, 1);
  });
}

for (const hook of ["handleError", "shutdownRequest"] as const) {
  Deno.test(`AsyncUDPServer prints what ${hook}() throws, and goes on`, async () => {
    class Failing extends QuickEcho {
      override handle() {
        super.handle();
        if (this.question === "bad") throw new Error("handle");
      }
    }
    class Server extends AsyncUDPServer {}
    Server.prototype[hook] = () => {
      throw new Error(hook);
    };
    using stderr = new Stderr();
    await serving(new Server(LOOPBACK, Failing), async (server) => {
      using client = await connectTo(server);
      await client.sendall(bytes("bad"));
      assertEquals(await ask(server, "good"), "good");
      await until(() => server.status.active === 0);
    });
    assertStringIncludes(stderr.texts.join(), `Error: ${hook}`);
  });
}

Deno.test("UDPServer.serveForever() ends with what handleError() throws", async () => {
  class Throwing extends DatagramHandler {
    override handle() {
      throw new Error("handle");
    }
  }
  class Fatal extends UDPServer {
    override handleError() {
      throw new Error("handleError");
    }
  }
  const server = new Fatal(LOOPBACK, Throwing);
  const served = server.serveForever();
  served.catch(() => {}); // awaited below
  using client = await connectTo(server);
  await client.sendall(bytes("x"));
  await assertRejects(() => within(served), Error, "handleError");
  await server.serverClose();
});

Deno.test("UDPServer.serveForever() ends with what shutdownRequest() throws", async () => {
  class Fatal extends UDPServer {
    override shutdownRequest() {
      throw new Error("shutdownRequest");
    }
    override handleError() {}
  }
  const server = new Fatal(LOOPBACK, QuickEcho);
  const served = server.serveForever();
  served.catch(() => {}); // awaited below
  assertEquals(await ask(server, "x"), "x");
  await assertRejects(() => within(served), Error, "shutdownRequest");
  await server.serverClose();
});

/** Sockets whose `recvfrom` is not the one of `Socket`, and how a server gets them. */
const OVERRIDES: Record<
  string,
  (server: DatagramServer, count: () => void) => void
> = {
  "of its socket": ({ socket }, count) => {
    const { recvfrom } = socket;
    socket.recvfrom = (...args) => {
      count();
      return recvfrom.apply(socket, args);
    };
  },
  "of a class of sockets": (server, count) => {
    class Counting extends Socket {
      override recvfrom(bufsize: number, flags?: number) {
        count();
        return super.recvfrom(bufsize, flags);
      }
    }
    server.socket = new Counting(server.addressFamily, server.socketType);
  },
};

for (const [how, override] of Object.entries(OVERRIDES)) {
  for (
    const [Server, bindTo, ignore] of [
      [UDPServer, () => LOOPBACK, false],
      [AsyncUDPServer, () => LOOPBACK, false],
      [UnixDatagramServer, newPath, !haveUnix || !unstableNet],
      [AsyncUnixDatagramServer, newPath, !haveUnix || !unstableNet],
    ] as const
  ) {
    Deno.test(`${Server.name} receives through the recvfrom() ${how}`, {
      ignore,
    }, async () => {
      let received = 0;
      const options = { bindAndActivate: false };
      const server = new (Server as AnyServerClass)(
        bindTo(),
        EchoDatagram,
        options,
      );
      override(server as DatagramServer, () => received++);
      server.serverBind();
      await serving(server, async () => {
        for (let i = 1; i <= 5; i++) {
          assertEquals(await ask(server, `${i}`), `${i}`);
          assertEquals(received, i);
        }
      });
    });
  }
}

const UNIX_SERVERS: Record<string, unknown> = {
  UnixDatagramServer,
  AsyncUnixDatagramServer,
  ThreadingUnixDatagramServer,
  ForkingUnixDatagramServer,
};

for (const [name, Server] of Object.entries(UNIX_SERVERS)) {
  const ignore = !haveUnix || !unstableNet ||
    name.startsWith("Forking") && !granted("run", "env");

  Deno.test(
    `${name}.reportLostClients false is for Unix clients that are gone`,
    { ignore },
    async () => {
      const options: object = {
        reportLostClients: false,
        maxWorkers: 1,
        maxChildren: 1,
      };
      const server = new (Server as typeof UnixDatagramServer)(
        newPath(),
        AnswersDatagrams,
        options,
      );
      for (const removed of [false, true]) {
        using client = new Socket(AF_UNIX, SOCK_DGRAM);
        const path = newPath();
        client.bind(path);
        await client.sendto(bytes("x"), server.serverAddress);
        client.close();
        if (removed) Deno.removeSync(path);
      }
      using stderr = new Stderr();
      await serving(server, async () => {
        assertEquals(await ask(server, "here"), "here");
        await until(() => server.status.active === 0);
      });
      assertEquals(stderr.texts, []);
    },
  );
}

Deno.test(
  "UnixDatagramServer.reportLostClients false is not for other clients that are gone",
  {
    ignore: !haveUnix || !unstableNet,
  },
  async () => {
    const nobody = newPath();
    class Forwards extends DatagramRequestHandler {
      override async handle() {
        await this.wfile.write("forwards");
        await this.wfile.flush();
        await this.socket.sendto(this.packet, nobody);
      }
    }
    const options = { reportLostClients: false };
    const server = new UnixDatagramServer(newPath(), Forwards, options);
    using stderr = new Stderr();
    await serving(server, async () => {
      using client = new Socket(AF_UNIX, SOCK_DGRAM);
      await client.sendto(bytes("x"), server.serverAddress);
      await until(() =>
        server.status.accepted === 1 && server.status.active === 0
      );
    });
    assertEquals(stderr.texts.length, 1);
    assertStringIncludes(stderr.texts[0], `Cannot sendto "${nobody}"`);
  },
);

/** Servers of both kinds of requests, and what is wrong with a handler there. */
const MISTAKES: [string, unknown, unknown, string][] = [
  [
    "UDPServer",
    UDPServer,
    StreamRequestHandler,
    "extend DatagramRequestHandler, or DualRequestHandler for both",
  ],
  [
    "AsyncUDPServer",
    AsyncUDPServer,
    StreamRequestHandler,
    "extend DatagramRequestHandler, or DualRequestHandler for both",
  ],
  [
    "UnixDatagramServer",
    UnixDatagramServer,
    StreamRequestHandler,
    "extend DatagramRequestHandler, or DualRequestHandler for both",
  ],
  [
    "ThreadingUDPServer",
    ThreadingUDPServer,
    BlockingStreamRequestHandler,
    "extend BlockingRequestHandler",
  ],
  [
    "ForkingUDPServer",
    ForkingUDPServer,
    StreamRequestHandler,
    "extend DatagramRequestHandler, or DualRequestHandler for both",
  ],
  [
    "TCPServer",
    TCPServer,
    DatagramRequestHandler,
    "extend StreamRequestHandler, or DualRequestHandler for both",
  ],
  [
    "AsyncTCPServer",
    AsyncTCPServer,
    DatagramRequestHandler,
    "extend StreamRequestHandler, or DualRequestHandler for both",
  ],
  [
    "UnixStreamServer",
    UnixStreamServer,
    DatagramRequestHandler,
    "extend StreamRequestHandler, or DualRequestHandler for both",
  ],
];

for (const [name, Server, Base, cure] of MISTAKES) {
  const { name: base } = Base as { name: string };
  const ignore = name.startsWith("Threading") && !mayRead ||
    name.startsWith("Forking") && !mayFork;
  const title = `${name} refuses a ${base}, and says what to extend`;
  Deno.test(title, { ignore }, () => {
    class Mine extends (Base as typeof StreamRequestHandler) {
      static readonly moduleUrl = import.meta.url;
    }
    const make = Server as typeof UDPServer;
    const elsewhere = /^(Threading|Forking)/.test(name);
    for (const Handler of elsewhere ? [Mine] : [Mine, Base as typeof Mine]) {
      const error = assertThrows(
        () => new make(LOOPBACK, Handler as never, { bindAndActivate: false }),
        TypeError,
      );
      assertEquals(
        error.message.startsWith(
          `Cannot make a server of ${name}: ${Handler.name} `,
        ),
        true,
        error.message,
      );
      assertEquals(error.message.endsWith(cure), true, error.message);
    }
  });
}

/** The servers of datagrams, in all four ways to run. */
const WAYS: Record<string, [Server: unknown, ignore: boolean]> = {
  UDPServer: [UDPServer, false],
  AsyncUDPServer: [AsyncUDPServer, false],
  ThreadingUDPServer: [ThreadingUDPServer, !mayRead],
  ForkingUDPServer: [ForkingUDPServer, !mayFork],
};

/** The datagrams that Linux has dropped at a port, because the buffer of the socket was full. */
function droppedAt(port: number): number {
  const hex = port.toString(16).toUpperCase().padStart(4, "0");
  const [line] = Deno.readTextFileSync("/proc/net/udp").split("\n")
    .filter((each) => each.includes(`:${hex} 00000000:`));
  return Number(line.trim().split(/\s+/).at(-1));
}

for (const [name, [Server, ignore]] of Object.entries(WAYS)) {
  Deno.test(
    `${name} handles each datagram once and in order, over shutdown(), an overflow and suspend()`,
    { ignore: ignore || Deno.build.os !== "linux" || !mayRead },
    async () => {
      const seen: number[] = [];
      const workers: object = { maxWorkers: 1, maxChildren: 1 };
      class Ordered extends (Server as typeof UDPServer) {
        override verifyRequest([packet]: DatagramRequest) {
          seen.push(Number(text(packet)));
          return true;
        }
      }
      const server = new Ordered(LOOPBACK, AnswersDatagrams, workers);
      using sender = await connectTo(server);
      let sent = 0;
      const send = async (count: number) => {
        for (const end = sent + count; sent < end;) {
          await sender.sendall(bytes(`${sent++}`));
        }
      };
      const port = server.serverAddress[1];
      const allSeen = (dropped = 0) =>
        until(() => seen.length === sent - dropped);
      let served = server.serveForever();
      for (let burst = 0; burst < 20; burst++) { // several receives are in flight by then
        await send(1 + burst);
        await allSeen();
      }
      await send(30);
      await server.shutdown(); // in the middle
      await within(served);
      await send(600);
      const dropped = droppedAt(port);
      // node:dgram may have read some of them meanwhile
      assert(dropped > 100 || !unstableNet, `${dropped}`);
      served = server.serveForever();
      await allSeen(dropped);
      server.suspend();
      await send(30);
      server.resume();
      await allSeen(dropped);
      await until(() => server.status.active === 0);
      await server.shutdown();
      await within(served);
      assertEquals(seen, seen.toSorted((a, b) => a - b));
      assertEquals(new Set(seen).size, seen.length);
      await send(1);
      await select([server], [], []); // the server has received the datagram
      assertEquals(server.status.rejected, 0);
      await server.serverClose();
      const { accepted, finished, rejected } = server.status;
      assertEquals(finished, seen.length, "finished");
      assertEquals(rejected, 1, "rejected");
      assertEquals(accepted + dropped, sent);
    },
  );
}
