/** Connections that blocking handlers open, and their `select`. */

import {
  AsyncTCPServer,
  BaseRequestHandler,
  createConnection,
  createConnectionSync,
  type InetAddress,
  selectSync,
  type Socket,
  ThreadingTCPServer,
} from "../../mod.ts";
import {
  assertEquals,
  assertMatch,
  assertStringIncludes,
  assertThrows,
  deadline,
} from "../deps.ts";
import { mayRead } from "../helpers/allowed.ts";
import { bytes, digest, randomBytes, seeded, text } from "../helpers/bytes.ts";
import { readAll } from "../helpers/clients.ts";
import { deadPort, listen, recvToEnd } from "../helpers/sockets.ts";
import { Running, workerTest } from "../helpers/threading.ts";
import { within } from "../helpers/within.ts";
import * as T from "../testdata/blocking_connect.ts";

/** A server that echoes, and reports the end of each connection. */
class EchoServer extends AsyncTCPServer {
  /** The bytes of each connection that has ended, in the order of the ends. */
  readonly ended: string[] = [];
  #waiting: (() => void) | undefined;

  constructor() {
    super(["127.0.0.1", 0], Echo);
    this.serveForever();
  }

  /** Records the end of a connection. */
  end(heard: string): void {
    this.ended.push(heard);
    this.#waiting?.();
  }

  /** Returns the bytes of the next `count` connections that end. */
  async next(count: number): Promise<string[]> {
    while (this.ended.length < count) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#waiting = resolve;
      await deadline(promise, 60_000);
    }
    return this.ended.splice(0, count);
  }
}

class Echo extends BaseRequestHandler<Socket> {
  override async handle() {
    let heard = "";
    try {
      for (;;) {
        const data = await this.request.recv(65536);
        if (data.length === 0) break;
        if (heard.length < 100) heard += text(data.subarray(0, 100));
        await this.request.sendall(data);
      }
    } finally {
      (this.server as unknown as EchoServer).end(heard);
    }
  }
}

function start(options = {}) {
  return new Running(
    new ThreadingTCPServer(["127.0.0.1", 0], T.Tasks, {
      maxWorkers: 2,
      ...options,
    }),
  );
}

type Started = ReturnType<typeof start>;

/** Has a handler run a task, and returns the result. */
async function run(running: Started, name: string, given: object) {
  const answer = await running.ask(`${JSON.stringify([name, given])}\n`);
  return answer === "" ? undefined : JSON.parse(answer);
}

/** A listener that accepts nobody: its queue is full. */
async function deaf(): Promise<{ address: InetAddress } & Disposable> {
  const listener = listen(undefined, 1);
  const address = listener.getsockname() as InetAddress;
  const others = [listener];
  for (let i = 0; i < 2; i++) others.push(await createConnection(address));
  return {
    address,
    [Symbol.dispose]: () => others.forEach((socket) => socket.close()),
  };
}

/** The tests that share one server, by name. */
const STEPS: Record<
  string,
  (running: Started, echo: EchoServer) => Promise<void>
> = {
  "createConnectionSync() connects a blocking handler": async (
    running,
    echo,
  ) => {
    const address = echo.serverAddress;
    assertEquals(await run(running, "ask", { address }), [
      "one ",
      "two\n",
      address,
      null,
    ]);
    const options = { timeout: 5, sourceAddress: ["127.0.0.1", 0] };
    const named = { address: ["localhost", String(address[1])], options };
    assertEquals((await run(running, "ask", named))[3], 5);
    assertEquals(await run(running, "many", { address, count: 200 }), 200);
    assertEquals(running.reports.left, 0);
  },
  "createConnectionSync() throws what createConnection() throws": async (
    running,
  ) => {
    using full = await deaf();
    const fail = (address: unknown, options?: unknown) =>
      run(running, "fail", { address, options });
    const refused = ["127.0.0.1", deadPort()];
    assertEquals(await fail(refused), [
      "ConnectionRefusedError",
      "ECONNREFUSED",
      true,
    ]);
    const [aggregate] = await fail(refused, { allErrors: true });
    assertEquals(aggregate, "AggregateError");
    assertEquals(await fail(["no.such.host.invalid", 80]), [
      "GaiError",
      "EAI_NONAME",
      true,
    ]);
    assertEquals((await fail(["127.0.0.1", "no-service"]))[0], "GaiError");
    if (Deno.build.os === "linux") { // other systems queue more than the backlog
      assertEquals(await fail(full.address, { timeout: 0.1 }), [
        "TimeoutError",
        "ETIMEDOUT",
        true,
      ]);
    }
    assertEquals((await fail("/no/such/path"))[2], true);
    for (
      const [address, options, name] of [
        [["127.0.0.1", 70_000], {}, "RangeError"],
        [["127.0.0.1"], {}, "TypeError"],
        [undefined, {}, "TypeError"],
        [refused, { timeout: -1 }, "RangeError"],
        [refused, { timeout: "Infinity" }, "RangeError"],
        [refused, { timeout: "5" }, "TypeError"],
        [refused, { happyEyeballsDelay: "Infinity" }, "RangeError"],
        [refused, { signal: "stop" }, "TypeError"],
      ] as const
    ) {
      assertEquals(
        (await fail(address, options))[0],
        name,
        JSON.stringify({ address, options }),
      );
    }
  },
  "selectSync() finds the connections that are ready": async (
    running,
    echo,
  ) => {
    assertEquals(
      await run(running, "select", { address: echo.serverAddress }),
      [
        [[], 0, 0],
        [[], 0, 0],
        [["talks"], 0, 0],
        [["talks"], 0, 0],
        [[], 0, 0],
        ["quiet", "talks"],
        [["talks"], 0, 0],
        0,
      ],
    );
  },
  "selectSync() waits until a peer takes data again": async (running) => {
    using listener = listen();
    using client = await running.connect();
    const task = ["writable", { address: listener.getsockname() }];
    await client.sendall(bytes(`${JSON.stringify(task)}\n`));
    const [peer] = await within(listener.accept());
    assertEquals(text(await within(client.recv(5))), "full\n");
    await peer.sendall(bytes("!"));
    const read = recvToEnd(peer);
    assertEquals(text(await within(client.recv(100))), "[true,0,true]\n");
    assertEquals((await read).length > 65536, true);
    peer.close();
  },
  "selectSync() refuses what is no open BlockingSocket": async (
    running,
    echo,
  ) => {
    const { serverAddress: address } = echo;
    assertEquals(await run(running, "mistakes", { address }), [
      ["OSError", "EBADF", true],
      ["OSError", "EBADF", true],
      ["TypeError", null, false],
      ["TypeError", null, false],
      ["RangeError", null, false],
      ["TypeError", null, false],
    ]);
  },
};

Deno.test({
  name: "a blocking handler opens connections",
  ignore: !mayRead,
  async fn(t) {
    await using echo = new EchoServer();
    await using running = start();
    for (const [name, step] of Object.entries(STEPS)) {
      await t.step(name, () => within(step(running, echo)));
    }
    assertEquals(running.reports.left, 0);
  },
});

workerTest(
  "the end of a request closes the connections of its handler, after all that they have sent",
  async () => {
    await using echo = new EchoServer();
    await using running = start({ maxWorkers: 1 });
    const address = echo.serverAddress;
    assertEquals(await run(running, "leave", { address }), "left");
    assertEquals((await echo.next(2)).sort(), ["", "left"]);
    assertEquals(await run(running, "leaveAndThrow", { address }), undefined);
    assertEquals((await running.reports.next()).error.message, "left behind");
    assertEquals(await echo.next(1), ["left"]);
  },
);

workerTest(
  "the death of a worker closes the connections of its handler",
  async () => {
    await using echo = new EchoServer();
    await using running = start();
    const { serverAddress: address } = echo;
    assertEquals(await run(running, "die", { address }), undefined);
    assertEquals(await echo.next(1), ["dying"]);
    assertMatch(
      (await running.reports.next()).error.message,
      /its worker died/,
    );
    assertEquals(await run(running, "many", { address, count: 1 }), 1);
  },
);

for (const how of ["select", "recv", "close"]) {
  workerTest(
    `the drain ends a blocking handler that waits for its connection (${how})`,
    async () => {
      await using echo = new EchoServer();
      const running = start({ maxWorkers: 1 });
      using client = await running.connect();
      const { serverAddress: address } = echo;
      await client.sendall(
        bytes(`${JSON.stringify(["wait", { address, how }])}\n`),
      );
      assertEquals(text(await client.recv(3)), "go\n");
      const report = await deadline(
        running.server.serverClose({ timeout: 20 }),
        60_000,
      );
      assertEquals(report, { idle: 0, finished: 1, forced: 0 });
      const answer = how === "close" ? '["OSError","EBADF",true]\n' : "";
      assertEquals(await readAll(client), answer);
      assertEquals(await echo.next(1), ["waiting"]);
      assertEquals(running.reports.left, 0);
    },
  );
}

workerTest(
  "the drain ends a blocking handler that waits to connect",
  async () => {
    if (Deno.build.os !== "linux") return; // other systems queue more than the backlog
    using full = await deaf();
    const { address } = full;
    const running = start();
    using client = await running.connect();
    await client.sendall(
      bytes(`${JSON.stringify(["waitToConnect", { address }])}\n`),
    );
    assertEquals(text(await client.recv(3)), "go\n");
    const report = await deadline(
      running.server.serverClose({ timeout: 20 }),
      60_000,
    );
    assertEquals(report, { idle: 0, finished: 1, forced: 0 });
    assertEquals(await readAll(client), "");
    assertEquals(running.reports.left, 0);
  },
);

workerTest(
  "serverClose() that cuts a handler off closes its connections",
  async () => {
    await using echo = new EchoServer();
    const running = start();
    using client = await running.connect();
    const { serverAddress: address } = echo;
    await client.sendall(bytes(`${JSON.stringify(["hang", { address }])}\n`));
    assertEquals(text(await client.recv(3)), "go\n");
    const report = await deadline(
      running.server.serverClose({ timeout: 0 }),
      60_000,
    );
    assertEquals(report, { idle: 0, finished: 0, forced: 1 });
    assertEquals(await echo.next(1), [""]);
  },
);

workerTest(
  "a blocking proxy with selectSync() copies both ways, and loses nothing",
  async () => {
    await using echo = new EchoServer();
    const shared = echo.serverAddress;
    await using running = new Running(
      new ThreadingTCPServer(["127.0.0.1", 0], T.Proxy, {
        shared,
        maxWorkers: 2,
      }),
    );
    const data = randomBytes(2_000_000, seeded(1));
    const copies = Array.from({ length: 2 }, async () => {
      using client = await running.connect();
      const sent = client.sendall(data).then(() => client);
      const heard: Uint8Array[] = [];
      for (let count = 0; count < data.length;) {
        const piece = await client.recv(262_144);
        if (piece.length === 0) throw new Error(`the end after ${count} bytes`);
        count += piece.length;
        heard.push(piece.slice());
      }
      await sent;
      return digest(
        new Uint8Array(await new Blob(heard as BlobPart[]).arrayBuffer()),
      );
    });
    const expected = digest(data);
    assertEquals(await deadline(Promise.all(copies), 60_000), [
      expected,
      expected,
    ]);
  },
);

Deno.test("createConnectionSync() and selectSync() say where they work", () => {
  const connect = assertThrows(
    () => createConnectionSync(["localhost", 80]),
    TypeError,
  );
  assertStringIncludes(
    connect.message,
    "a blocking handler of a server with ThreadingMixIn",
  );
  assertStringIncludes(connect.message, "await createConnection() instead");
  const select = assertThrows(() => selectSync([], [], []), TypeError);
  assertStringIncludes(select.message, "await select() instead");
});
