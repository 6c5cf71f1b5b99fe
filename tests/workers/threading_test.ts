import { connect } from "node:net";
import {
  BaseRequestHandler,
  ConnectionRefusedError,
  ConnectionResetError,
  type InetAddress,
  OSError,
  PermissionError,
  type RequestHandlerConstructor,
  Socket,
  type StreamTransport,
  TCPServer,
  ThreadingMixIn,
  ThreadingTCPServer,
  TimeoutError,
} from "../../mod.ts";
import {
  assertEquals,
  assertInstanceOf,
  assertLess,
  assertMatch,
  assertRejects,
  assertStringIncludes,
  assertThrows,
  delay,
} from "../deps.ts";
import { granted, mayRead } from "../helpers/allowed.ts";
import { bytes } from "../helpers/bytes.ts";
import { readAll, readText } from "../helpers/clients.ts";
import { CONFIG } from "../helpers/forking.ts";
import { tcpPair } from "../helpers/sockets.ts";
import { Running, start, stepsTest, workerTest } from "../helpers/threading.ts";
import { boundedCommand, until, within } from "../helpers/within.ts";
import { Bad } from "../testdata/bad_module.ts";
import * as B from "../testdata/blocking_handlers.ts";
import * as H from "../testdata/handlers.ts";
import * as L from "../testdata/leftover_handlers.ts";
import { LoadsOnce } from "../testdata/loads_once.ts";
import * as T from "../testdata/threading_handlers.ts";

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

workerTest(
  "ThreadingMixIn() refuses options out of range or of another type",
  async () => {
    for (const maxWorkers of [0, 1.5, NaN, Infinity]) {
      assertThrows(
        make(H.Echo, { maxWorkers }),
        RangeError,
        `got ${maxWorkers}`,
      );
    }
    for (const workerTimeout of [0, -1, Infinity]) {
      assertThrows(
        make(H.Echo, { workerTimeout }),
        RangeError,
        "workerTimeout",
      );
    }
    assertThrows(make(H.Echo, { shared: () => {} }), DOMException);
    for (const name of ["blockOnClose", "daemonThreads"]) {
      const message = `Cannot set ${name}: it must be a boolean, got no`;
      assertThrows(make(H.Echo, { [name]: "no" }), TypeError, message);
      class WithStatic extends ThreadingTCPServer {}
      Object.defineProperty(WithStatic, name, { value: "no" });
      const construct = () => new WithStatic(["127.0.0.1", 0], H.Echo);
      assertThrows(construct, TypeError, message);
    }
    await Promise.resolve();
  },
);

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

const counter = new Int32Array(new SharedArrayBuffer(4));

/** A server for handlers that the client chooses. */
class Choosing extends Running<ThreadingTCPServer> {
  constructor() {
    super(
      new ThreadingTCPServer(["127.0.0.1", 0], T.Chosen, {
        maxWorkers: 2,
        shared: { counter, word: "hello" },
      }),
    );
  }

  /** Asks a handler. Returns all that comes back. */
  readonly choose = (name: string, question = ""): Promise<string> =>
    this.ask(`${name}\n${question}`);
}

stepsTest("ThreadingTCPServer", () => new Choosing(), {
  async "echoes for many clients at a time"({ choose, reports }) {
    const words = Array.from(
      { length: 50 },
      (_, i) => `client ${i} `.repeat(i),
    );
    const answers = await Promise.all(
      words.map((text) => choose("Echo", text)),
    );
    assertEquals(answers, words);
    assertEquals(reports.left, 0);
  },
  async "makes the handler's errors again"({ choose, reports }) {
    const thrown = async (what: string) => {
      await choose("Throws", `${what}\n`);
      return (await reports.next()).error;
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
    const caused = await thrown("cause");
    assertEquals(caused.constructor, TypeError);
    assertEquals((caused.cause as Error).message, "the cause");
    assertLess((await thrown("long")).message.length, 5000);
  },
  async "has timeouts, MSG_PEEK, MSG_DONTWAIT and MSG_WAITALL in workers"(
    { connect },
  ) {
    using client = await connect();
    await client.sendall(bytes("Calls\n"));
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
  async "tells the handler of a reset"({ server, reports }) {
    const client = connect(server.serverAddress[1] as number, "127.0.0.1");
    client.write("Reset\n");
    await new Promise((resolve) => client.once("data", resolve));
    client.resetAndDestroy();
    const { error } = await reports.next();
    assertInstanceOf(error, ConnectionResetError);
    assertEquals(error.code, "ECONNRESET");
  },
  async "sends what a handler did not wait for"({ connect }) {
    using client = await connect();
    await client.sendall(bytes("SendsLate\n"));
    const file = client.makefile("rb");
    const data = await file.read();
    assertEquals(data.length, 16 * 65536);
    for (let i = 0; i < 16; i++) assertEquals(data[i * 65536 + 65535], i);
    file.close();
  },
  async "lets a handler close its connection"({ choose, reports }) {
    assertEquals(await choose("Closes"), "bye");
    assertEquals(reports.left, 0);
  },
  async "shares memory and tells the worker about the server"(
    { server, choose },
  ) {
    const facts = await Promise.all([1, 2, 3, 4].map(() => choose("Facts")));
    const [address, word, size] = JSON.parse(facts[0]);
    assertEquals(address, server.serverAddress);
    assertEquals({ word, size }, { word: "hello", size: 8192 });
    assertEquals(counter[0], 4);
  },
  async "tells handlers that it closes, waits for them, and cuts off after the timeout"(
    { server, connect, reports },
  ) {
    using ends = await connect();
    await ends.sendall(bytes("UntilDrain\n"));
    assertEquals(await readText(ends, 5), "ready");
    using stays = await connect();
    await stays.sendall(bytes("Endless\n"));
    assertEquals(await readText(stays, 5), "ready");
    const closing = server.serverClose({ timeout: 1 });
    assertEquals(await readAll(ends), " drained");
    assertEquals(await closing, { idle: 0, finished: 1, forced: 1 });
    await readAll(stays).catch((error) => assertInstanceOf(error, OSError));
    assertEquals(reports.left, 0);
  },
});

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

workerTest(
  "WorkerServer.shutdown() does not tell what an overridden shutdown returns",
  async () => {
    await using running = start(T.Shutdown, { maxWorkers: 1 });
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
  "ThreadingTCPServer.serverClose() does not wait for daemonThreads",
  async () => {
    const running = start(T.Endless, { maxWorkers: 1, daemonThreads: true });
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
    const running = start(T.UntilDrain, { maxWorkers: 1, blockOnClose: false });
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
    await using running = start(Bad, { maxWorkers: 1 });
    for (let i = 0; i < 2; i++) {
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
      await using running = start(Handler, { maxWorkers: 1 });
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
  "ThreadingTCPServer has the worker back while a client takes nothing",
  async () => {
    await using running = start(B.BlockingGivesUp, { maxWorkers: 1 });
    using stuck = await running.connect();
    await stuck.sendall(bytes("g"));
    assertEquals(await running.ask("x"), "x");
    stuck.close();
    assertInstanceOf((await running.reports.next()).error, TimeoutError);
  },
);

workerTest("ThreadingMixIn() tells null in shared from nothing", async () => {
  class Shared extends ThreadingTCPServer {
    static override shared: unknown = "static";
  }
  const shared = async (options: { shared?: unknown }) => {
    await using server = new Shared(["127.0.0.1", 0], H.Echo, options);
    return server.shared;
  };
  assertEquals(await shared({ shared: null }), null);
  assertEquals(await shared({}), "static");
});

workerTest(
  "ThreadingTCPServer tries again what has failed at the first request",
  async () => {
    await using running = start(H.Echo, { maxWorkers: 1 });
    running.server.RequestHandlerClass = BaseRequestHandler; // says not where it is
    assertEquals(await running.ask("hello"), "");
    assertInstanceOf((await running.reports.next()).error, TypeError);
    running.server.RequestHandlerClass = H.Echo;
    assertEquals(await running.ask("hello"), "hello");
  },
);

workerTest(
  "ThreadingTCPServer starts no worker for a request that comes after its end",
  async () => {
    const server = new ThreadingTCPServer(["127.0.0.1", 0], H.Echo);
    await server.serverClose();
    const [client, request] = await tcpPair();
    await assertRejects(
      async () => await server.finishRequest(request, ["127.0.0.1", 1]),
      Error,
      "the server was closed",
    );
    client.close();
    request.close();
  },
);

workerTest(
  "A worker forgets the signal of a request that has ended",
  async () => {
    const shared = new Int32Array(new SharedArrayBuffer(4));
    await using running = start(L.KeepsSignal, { shared, maxWorkers: 1 });
    assertEquals(await running.ask(""), "go");
    await until(() => Atomics.load(shared, 0) !== 0);
    assertEquals(shared[0], 1);
  },
);

workerTest(
  "A signal asked for after the drain has begun is aborted",
  async () => {
    const running = start(L.AsksLate, { maxWorkers: 1 });
    using client = await running.connect();
    assertEquals(await readText(client, 2), "go");
    const closing = running.server.serverClose({ timeout: 20 });
    await client.sendall(bytes("x")); // behind the frame that tells of the drain
    assertEquals(await readAll(client), "aborted");
    await within(closing);
  },
);

Deno.test({
  name: "A worker's permission to read is asked for when it starts",
  ignore: !granted("run", "read"),
  async fn() {
    const script = new URL("../testdata/no_read_server.ts", import.meta.url);
    const child = boundedCommand(Deno.execPath(), {
      // deno-fmt-ignore
      args: ["run", CONFIG, "--no-check", "--no-prompt", "--allow-net", "--allow-read", script.pathname],
    });
    const { stdout, stderr } = await within(child.output());
    const err = new TextDecoder().decode(stderr);
    const out = new TextDecoder().decode(stdout).trim();
    assertEquals(out, "PermissionError EACCES true", err);
  },
});

workerTest("BlockingSocket.close() closes the connection at once", async () => {
  const shared = new Int32Array(new SharedArrayBuffer(4));
  const Handler = L.ClosesAndStays as unknown as RequestHandlerConstructor;
  await using running = start(Handler, { shared, maxWorkers: 1 });
  using client = await running.connect();
  assertEquals(await readAll(client), "bye"); // though the handler runs
  assertEquals(running.server.status.active, 1);
  Atomics.store(shared, 0, 1);
  Atomics.notify(shared, 0);
});

workerTest(
  "ThreadingTCPServer gives a request to the worker that is free, and one with enough memory lives on",
  async () => {
    const shared = new Int32Array(new SharedArrayBuffer(8));
    await using running = start(LoadsOnce, { shared, maxWorkers: 2 });
    for (let i = 0; i < 5; i++) {
      using client = await running.connect();
      await client.sendall(bytes("x\n"));
      assertEquals(await readText(client, 2), "x\n");
      await client.shutdown(1);
      assertEquals(await readAll(client), "");
      await until(() => running.server.status.active === 0);
    }
    using client = await running.connect();
    for (const line of ["y\n", "z\n"]) {
      await client.sendall(bytes(line));
      assertEquals(await readText(client, 2), line);
      if (line === "y\n") await delay(1200); // it looks at its heap twice
    }
    assertEquals(shared[0], 1, "one worker is enough");
  },
);
