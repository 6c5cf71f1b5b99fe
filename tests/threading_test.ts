import { connect } from "node:net";
import {
  BaseRequestHandler,
  ConnectionRefusedError,
  ConnectionResetError,
  type InetAddress,
  OSError,
  PermissionError,
  type RequestHandlerConstructor,
  SOCK_DGRAM,
  Socket,
  type StreamTransport,
  TCPServer,
  ThreadingMixIn,
  ThreadingTCPServer,
  ThreadingUDPServer,
  ThreadingUnixDatagramServer,
  ThreadingUnixStreamServer,
  TimeoutError,
} from "../mod.ts";
import { AF_INET, AF_UNIX } from "../mod.ts";
import {
  assertEquals,
  assertInstanceOf,
  assertLess,
  assertMatch,
  assertStringIncludes,
  assertThrows,
} from "./deps.ts";
import { granted, mayRead, unstableNet } from "./helpers/allowed.ts";
import { Bad } from "./testdata/bad_module.ts";
import * as H from "./testdata/handlers.ts";
import * as T from "./testdata/threading_handlers.ts";
import {
  readAll,
  readText,
  Running,
  start,
  workerTest,
} from "./threading_helpers.ts";
import { bytes } from "./server_helpers.ts";

function make(Handler: unknown, options = {}): () => void {
  return () => {
    new ThreadingTCPServer(
      ["127.0.0.1", 0],
      Handler as RequestHandlerConstructor,
      options,
    );
  };
}

workerTest(
  "ThreadingMixIn() refuses a handler without moduleUrl, and says what to write",
  async () => {
    class Plain extends BaseRequestHandler {}
    assertThrows(
      make(Plain),
      TypeError,
      "Cannot run Plain in a worker: the class must be exported from its module and say where that is; write in the class itself: static readonly moduleUrl = import.meta.url",
    );
    class Inherits extends H.Echo {}
    assertThrows(make(Inherits), TypeError, "Cannot run Inherits in a worker");
    const anonymous = (() =>
      class extends BaseRequestHandler {
        static readonly moduleUrl = import.meta.url;
      })();
    assertThrows(make(anonymous), TypeError, "the class has no name");
    class Lost extends BaseRequestHandler {
      static readonly moduleUrl = "./handlers.ts";
    }
    assertThrows(
      make(Lost),
      TypeError,
      'Cannot run Lost in a worker: moduleUrl must be import.meta.url, got "./handlers.ts"',
    );
    assertThrows(make({}), TypeError, "RequestHandlerClass must be a class");
    await Promise.resolve();
  },
);

Deno.test({
  name: "ThreadingMixIn() names the permission that is missing",
  ignore: mayRead,
  fn() {
    const error = assertThrows(make(H.Echo), PermissionError, "--allow-read");
    assertEquals((error as PermissionError).code, "EACCES");
  },
});

workerTest("ThreadingMixIn() refuses options out of range", async () => {
  for (const maxWorkers of [0, 1.5, NaN, Infinity]) {
    assertThrows(make(H.Echo, { maxWorkers }), RangeError, `got ${maxWorkers}`);
  }
  for (const workerTimeout of [0, -1, Infinity]) {
    assertThrows(make(H.Echo, { workerTimeout }), RangeError, "workerTimeout");
  }
  assertThrows(make(H.Echo, { shared: () => {} }), DOMException);
  await Promise.resolve();
});

workerTest("ThreadingTCPServer takes its options from statics", async () => {
  class Two extends ThreadingMixIn(TCPServer) {
    static override maxWorkers = 2;
    static override daemonThreads = true;
    static override workerTimeout = 9;
    static override shared = "s";
  }
  await using server = new Two(["127.0.0.1", 0], H.Echo, {
    workerTimeout: null,
  });
  const { maxWorkers, daemonThreads, workerTimeout, shared } = server;
  assertEquals({ maxWorkers, daemonThreads, workerTimeout, shared }, {
    maxWorkers: 2,
    daemonThreads: true,
    workerTimeout: null,
    shared: "s",
  });
});

workerTest("ThreadingTCPServer echoes for many clients at a time", async () => {
  await using running = start(H.Echo);
  const answers = await Promise.all(
    Array.from({ length: 50 }, (_, i) => running.ask(`client ${i} `.repeat(i))),
  );
  answers.forEach((answer, i) =>
    assertEquals(answer, `client ${i} `.repeat(i))
  );
  assertEquals(running.reports.left, 0);
});

workerTest(
  "ThreadingTCPServer gives the handler the real addresses",
  async () => {
    await using running = start(H.Lines);
    using client = await running.connect();
    await client.sendall(bytes("addr\nupper x\nquit\n"));
    const [addresses, upper] = (await readAll(client)).split("\n");
    const mine = client.getsockname();
    assertEquals(JSON.parse(addresses), [
      mine,
      mine,
      running.server.serverAddress,
    ]);
    assertEquals(upper, "X");
  },
);

workerTest("ThreadingTCPServer takes a large upload whole", async () => {
  await using running = start(H.Upload);
  using client = await running.connect();
  const data = new Uint8Array(3_000_001).map((_, i) => (i * 7) & 0xff);
  await client.sendall(data);
  await client.shutdown(1);
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", data));
  assertEquals(await readAll(client), `3000001 ${digest.toHex()}\n`);
});

workerTest("ThreadingTCPServer half-closes in both directions", async () => {
  await using running = start(H.HalfClose);
  using client = await running.connect();
  assertEquals(await readAll(client), "bye\n");
  await client.sendall(bytes("12345"));
  await client.shutdown(1);
  const { error } = await running.reports.next();
  assertEquals(error.message, "read 5 after its end");
});

workerTest(
  "ThreadingTCPServer runs setup, handle, finish, and reports what they throw",
  async () => {
    const cases: [RequestHandlerConstructor, string, string, string][] = [
      [H.Hooks, "setup handle finish", "", ""],
      [H.ThrowInSetup, "setup ", "TypeError", "setup failed"],
      [
        H.ThrowInHandle,
        "setup handle finish",
        "ConnectionResetError",
        "handle failed",
      ],
      [
        H.ThrowInFinish,
        "setup handle finish",
        "SyntaxError",
        "finish failed",
      ],
    ];
    for (const [Handler, expected, name, message] of cases) {
      await using running = start(Handler);
      using client = await running.connect();
      assertEquals(await readAll(client), expected);
      if (name === "") continue;
      const { address, error } = await running.reports.next();
      assertEquals(address, client.getsockname());
      assertEquals(error.name, name);
      assertEquals(error.message, message);
      assertEquals(error.constructor.name, name);
      assertStringIncludes(error.stack!, "handlers.ts");
      if (Handler === H.ThrowInHandle) {
        assertEquals((error.cause as Error).message, "the cause");
      }
    }
  },
);

workerTest("ThreadingTCPServer makes the handler's errors again", async () => {
  await using running = start(T.Throws);
  const thrown = async (what: string) => {
    await running.ask(`${what}\n`);
    return (await running.reports.next()).error;
  };
  const refused = await thrown("refused");
  assertInstanceOf(refused, ConnectionRefusedError);
  assertEquals(refused.code, "ECONNREFUSED");
  assertEquals(refused.syscall, "connect");
  assertEquals(typeof refused.errno, "number");
  assertInstanceOf(await thrown("refused2"), ConnectionRefusedError);
  assertInstanceOf(await thrown("later"), TimeoutError);
  const own = await thrown("own");
  assertEquals(own.name, "Own");
  assertEquals(own.message, "mine");
  assertEquals(own.code, "E_OWN");
  assertEquals<unknown>(await thrown("value"), '{ not: "an error" }');
  const many = await thrown("aggregate") as AggregateError;
  assertInstanceOf(many.errors[0], TypeError);
  assertLess((await thrown("long")).message.length, 5000);
});

workerTest(
  "ThreadingTCPServer has timeouts, MSG_PEEK, MSG_DONTWAIT and MSG_WAITALL in workers",
  async () => {
    await using running = start(T.Calls);
    using client = await running.connect();
    const file = client.makefile("r");
    const call = async (text: string) => {
      await client.sendall(bytes(text));
      return (await file.readline()).trimEnd();
    };
    assertEquals(await call("timeout?\n"), "null");
    assertEquals(await call("timeout\n"), "TimeoutError ETIMEDOUT");
    assertEquals(await call("dontwait\n"), "BlockingIOError EAGAIN");
    assertEquals(await call("options\n"), "1");
    const answer = call("peek\n");
    await client.sendall(bytes("abcde"));
    assertMatch(await answer, /^(a|ab|abc)abcde$/);
    assertEquals(await call("what\n"), "what?");
    file.close();
  },
);

workerTest(
  "ThreadingTCPServer carries options, and works over any transport",
  async () => {
    const calls: unknown[] = [];
    class Wrapped extends ThreadingTCPServer {
      override async getRequest(): Promise<[Socket, InetAddress]> {
        const [socket, address] = await super.getRequest();
        const conn = socket.detach() as StreamTransport;
        const wrapped = Socket.from({
          localAddr: conn.localAddr,
          remoteAddr: conn.remoteAddr,
          read: (p) => conn.read(p.subarray(0, 7)),
          write: (p) => conn.write(p.subarray(0, 5)),
          close: () => conn.close(),
          closeWrite: () => conn.closeWrite(),
          setNoDelay: (on) => calls.push(["nodelay", on]),
          setKeepAlive: (on) => calls.push(["keepalive", on]),
        });
        wrapped.settimeout(7.5);
        return [wrapped, address];
      }
    }
    await using running = new Running(
      new Wrapped(["127.0.0.1", 0], T.Calls, { maxWorkers: 1 }),
    );
    assertEquals(await running.ask("options\ntimeout?\n"), "1\n7.5\n");
    assertEquals(calls, [["nodelay", true], ["keepalive", true]]);
  },
);

workerTest("ThreadingTCPServer tells the handler of a reset", async () => {
  await using running = start(T.Reset);
  const port = running.server.serverAddress[1] as number;
  const client = connect(port, "127.0.0.1");
  await new Promise((resolve) => client.once("data", resolve));
  client.resetAndDestroy();
  const { error } = await running.reports.next();
  assertInstanceOf(error, ConnectionResetError);
  assertEquals(error.code, "ECONNRESET");
});

workerTest(
  "ThreadingTCPServer sends what a handler did not wait for",
  async () => {
    await using running = start(T.SendsLate);
    using client = await running.connect();
    const file = client.makefile("rb");
    const data = await file.read();
    assertEquals(data.length, 16 * 65536);
    for (let i = 0; i < 16; i++) assertEquals(data[i * 65536 + 65535], i);
    file.close();
  },
);

workerTest(
  "ThreadingTCPServer lets a handler close its connection",
  async () => {
    await using running = start(T.Closes);
    assertEquals(await running.ask(""), "bye");
    assertEquals(running.reports.left, 0);
  },
);

workerTest(
  "ThreadingTCPServer gives each request to the worker with the fewest",
  async () => {
    await using running = start(T.Which, { maxWorkers: 3 });
    const clients: Socket[] = [];
    const load = new Map<string, number>();
    for (let i = 0; i < 9; i++) {
      const client = await running.connect();
      const worker = await readText(client, 36);
      load.set(worker, (load.get(worker) ?? 0) + 1);
      clients.push(client);
    }
    assertEquals([...load.values()], [3, 3, 3]);
    for (const client of clients) client.close();
  },
);

workerTest(
  "ThreadingTCPServer starts no more workers than it needs",
  async () => {
    await using running = start(T.Which, { maxWorkers: 8 });
    const workers = new Set<string>();
    for (let i = 0; i < 5; i++) {
      using client = await running.connect();
      workers.add(await readText(client, 36));
      await client.shutdown(1);
      await readAll(client);
    }
    assertLess(workers.size, 3); // the second where the first request had not quite ended
  },
);

workerTest(
  "ThreadingMixIn() shares memory and tells the worker about the server",
  async () => {
    const counter = new Int32Array(new SharedArrayBuffer(4));
    await using running = start(T.Facts, {
      shared: { counter, word: "hello" },
    });
    const facts = await Promise.all([1, 2, 3, 4].map(() => running.ask("")));
    const [address, word, size] = JSON.parse(facts[0]);
    assertEquals(address, running.server.serverAddress);
    assertEquals({ word, size }, { word: "hello", size: 8192 });
    assertEquals(counter[0], 4);
  },
);

workerTest("WorkerServer.shutdown() ends serveForever", async () => {
  await using running = start(T.Shutdown);
  assertEquals(await running.ask(""), "down");
  await running.served;
});

workerTest(
  "WorkerServer.shutdown() does not tell what an overridden shutdown returns",
  async () => {
    await using running = start(T.Shutdown);
    const { server } = running;
    server.shutdown = async () => {
      await ThreadingTCPServer.prototype.shutdown.call(server);
      return 1n as never; // there is no JSON of it
    };
    assertEquals(await running.ask(""), "down");
    await running.served;
  },
);

workerTest(
  "ThreadingTCPServer.serverClose() tells handlers, and waits for them",
  async () => {
    const running = start(T.UntilDrain);
    using client = await running.connect();
    assertEquals(await readText(client, 5), "ready");
    const report = await running.server.serverClose();
    assertEquals(report, { idle: 0, finished: 1, forced: 0 });
    assertEquals(await readAll(client), " drained");
  },
);

workerTest(
  "ThreadingTCPServer.serverClose() cuts off after the timeout",
  async () => {
    const running = start(T.Endless);
    using client = await running.connect();
    assertEquals(await readText(client, 5), "ready");
    const report = await running.server.serverClose({ timeout: 0.01 });
    assertEquals(report, { idle: 0, finished: 0, forced: 1 });
    await readAll(client).catch((error) => assertInstanceOf(error, OSError));
    assertEquals(running.reports.left, 0);
  },
);

workerTest(
  "ThreadingTCPServer.serverClose() does not wait for daemonThreads",
  async () => {
    const running = start(T.Endless, { daemonThreads: true });
    using client = await running.connect();
    assertEquals(await readText(client, 5), "ready");
    assertEquals(await running.server.serverClose(), {
      idle: 0,
      finished: 0,
      forced: 1,
    });
    assertEquals(running.reports.left, 0);
  },
);

workerTest(
  "ThreadingTCPServer.serverClose() lets requests go on with blockOnClose false",
  async () => {
    const running = start(T.UntilDrain, { blockOnClose: false });
    using client = await running.connect();
    assertEquals(await readText(client, 5), "ready");
    assertEquals(await running.server.serverClose(), {
      idle: 0,
      finished: 0,
      forced: 0,
    });
    assertEquals(await readAll(client), " drained");
  },
);

workerTest(
  "ThreadingTCPServer refuses cleanly when the module does not load",
  async () => {
    await using running = start(Bad);
    for (let i = 0; i < 3; i++) {
      assertEquals(await running.ask("hello?"), "");
      const { error } = await running.reports.next();
      assertEquals(error.name, "SyntaxError");
      assertEquals(error.message, "this module does not load");
    }
  },
);

workerTest(
  "ThreadingTCPServer names a class that its module does not export",
  async () => {
    const cases: [RequestHandlerConstructor, string][] = [
      [
        T.classes.Hidden,
        'exports no class of handlers "Hidden"; write "export class Hidden"',
      ],
      [
        T.classes.Renamed,
        'it is exported as "renamed": write in the class: static readonly exportName = "renamed"',
      ],
    ];
    for (const [Handler, message] of cases) {
      await using running = start(Handler);
      assertEquals(await running.ask(""), "");
      const { error } = await running.reports.next();
      assertInstanceOf(error, TypeError);
      assertStringIncludes(error.message, message);
    }
  },
);

workerTest("ThreadingTCPServer finds a class by its exportName", async () => {
  await using running = start(T.classes.Named);
  assertEquals(await running.ask(""), "found");
});

workerTest(
  "ThreadingUDPServer answers from the server's own socket",
  async () => {
    await using running = new Running(
      new ThreadingUDPServer(["127.0.0.1", 0], H.Datagram, { maxWorkers: 2 }),
    );
    using client = new Socket(AF_INET, SOCK_DGRAM);
    client.settimeout(10);
    client.bind(["127.0.0.1", 0]);
    for (const text of ["hello", "", "x".repeat(8000)]) {
      await client.sendto(bytes(text), running.server.serverAddress);
      if (text === "") continue; // no answer
      const [data, sender] = await client.recvfrom(65536);
      assertEquals(new TextDecoder().decode(data), text.toUpperCase());
      assertEquals(sender, running.server.serverAddress);
    }
    await client.sendto(bytes("throw"), running.server.serverAddress);
    const { error, address } = await running.reports.next();
    assertEquals(error.message, "datagram failed");
    assertEquals(address, client.getsockname());
  },
);

workerTest("ThreadingUnixStreamServer serves", async () => {
  const path = await socketPath();
  await using running = new Running(
    new ThreadingUnixStreamServer(path, H.Lines, { maxWorkers: 1 }),
  );
  assertEquals(await running.ask("upper unix\nquit\n"), "UNIX\n");
});

Deno.test({
  name: "ThreadingUnixDatagramServer answers",
  ignore: !granted("write") || !unstableNet,
  async fn() {
    const path = await socketPath();
    await using _running = new Running(
      // Deno cannot send on a Unix datagram socket while it waits for the next datagram.
      new ThreadingUnixDatagramServer(path, H.Datagram, { maxConnections: 1 }),
    );
    using client = new Socket(AF_UNIX, SOCK_DGRAM);
    client.settimeout(10);
    client.bind(await socketPath());
    await client.sendto(bytes("hello"), path);
    const [data] = await client.recvfrom(100);
    assertEquals(new TextDecoder().decode(data), "HELLO");
  },
});

async function socketPath(): Promise<string> {
  return `${await Deno.makeTempDir()}/s`;
}
