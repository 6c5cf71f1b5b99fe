/** Failures of `getRequest()`, and the lines that a server prints when a request fails. */

import { IncompleteReadError } from "../../mod.ts";
import { once } from "node:events";
import { connect } from "node:net";
import { StreamRequestHandler } from "../../handlers.ts";
import { AsyncTCPServer } from "../../mixins.ts";
import { type ServerOptions, TCPServer, UDPServer } from "../../server.ts";
import {
  createConnection,
  type InetAddress,
  OSError,
  Socket,
  TimeoutError,
} from "../../socket.ts";
import { assert, assertEquals, assertMatch, assertRejects } from "../deps.ts";
import { granted } from "../helpers/allowed.ts";
import { bytes, text } from "../helpers/bytes.ts";
import { ask, connectTo, tell } from "../helpers/clients.ts";
import {
  EchoDatagram,
  EchoLine,
  LOOPBACK,
  serving,
} from "../helpers/servers.ts";
import { boundedCommand, Event, within } from "../helpers/within.ts";

/** A listener whose first accepts fail, and then go to a real one. */
function failing(errors: unknown[]): { socket: Socket; times: number[] } {
  const real = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const times: number[] = [];
  const listener = {
    addr: real.addr,
    close: () => real.close(),
    accept: () => {
      times.push(performance.now());
      const error = errors.shift();
      return error === undefined ? real.accept() : Promise.reject(error);
    },
  };
  return { socket: Socket.from(listener), times };
}

/** A server on such a listener. */
function on<S extends TCPServer>(server: S, socket: Socket): S {
  server.socket.close();
  server.socket = socket;
  server.serverAddress = server.socket.getsockname();
  return server;
}

const deno = (name: keyof typeof Deno.errors) => new Deno.errors[name](name);
const withCode = (code: string) => Object.assign(new Error(code), { code });

/** Makes pauses of 100 ms as short as they can be. */
function shrinkPauses(): Disposable & { count: number } {
  const original = globalThis.setTimeout;
  const clock = {
    count: 0,
    [Symbol.dispose]: () => void (globalThis.setTimeout = original),
  };
  const shrunk = (callback: () => void, ms?: number) => {
    if (ms === 100) clock.count++;
    return original(callback, ms === 100 ? 0 : ms);
  };
  globalThis.setTimeout = shrunk as typeof setTimeout;
  return clock;
}

/** Makes pauses of 100 ms longer than any test may take. */
function stretchPauses(): Disposable {
  const original = globalThis.setTimeout;
  const stretched = (callback: () => void, ms?: number) =>
    original(callback, ms === 100 ? 3_600_000 : ms);
  globalThis.setTimeout = stretched as typeof setTimeout;
  return { [Symbol.dispose]: () => void (globalThis.setTimeout = original) };
}

for (const Server of [TCPServer, AsyncTCPServer]) {
  Deno.test(`${Server.name}.serveForever() skips clients that are gone`, async () => {
    const gone = Array.from({ length: 10 }, () => [
      deno("NotConnected"),
      deno("ConnectionAborted"),
      withCode("EPROTO"),
    ]).flat();
    const { socket, times } = failing(gone);
    await serving(
      on(new Server(LOOPBACK, EchoLine), socket),
      async (server) => {
        assertEquals(await ask(server, "hello\n"), "hello\n");
        assertEquals(server.status.transientErrors, 30);
        assertEquals(server.status.resourceErrors, 0);
        assert(times[30] - times[0] < 1500, "30 pauses would be 3 s");
      },
    );
  });

  Deno.test(`${Server.name}.serveForever() pauses for 100 ms when descriptors run out`, async () => {
    const { socket, times } = failing([withCode("EMFILE"), withCode("ENOMEM")]);
    let services = 0;
    class Serviced extends Server {
      override serviceActions() { // its ticks do not shorten the pause
        services++;
      }
    }
    const server = on(new Serviced(LOOPBACK, EchoLine), socket);
    const answered = serving(server, async () => {
      assertEquals(await ask(server, "hello\n"), "hello\n");
      assertEquals(server.status.resourceErrors, 2);
      assertEquals(server.status.transientErrors, 0);
    }, { pollInterval: 0.005 });
    await answered;
    assert(services >= 2);
    for (const i of [1, 2]) {
      const pause = times[i] - times[i - 1];
      assert(pause >= 95, `paused for ${pause} ms`);
    }
  });

  Deno.test(`${Server.name}.shutdown() does not wait for the pause`, async () => {
    const paused = new Event();
    const { socket } = failing([withCode("EMFILE")]);
    class Noting extends Server {
      override async getRequest(): Promise<[Socket, InetAddress]> {
        try {
          return await super.getRequest();
        } finally {
          paused.set();
        }
      }
    }
    using _clock = stretchPauses();
    await using server = on(new Noting(LOOPBACK, EchoLine), socket);
    const served = server.serveForever();
    await paused.wait();
    await within(server.shutdown());
    await within(served);
  });

  for (const error of [withCode("EINVAL"), deno("BadResource")]) {
    Deno.test(`${Server.name}.serveForever() ends with ${error.name} ${error.message} of its listener, ten times in a row`, async () => {
      using clock = shrinkPauses();
      const few = Array.from({ length: 9 }, () => error);
      const { socket, times } = failing([...few]);
      await serving(
        on(new Server(LOOPBACK, EchoLine), socket),
        async (server) => {
          assertEquals(await ask(server, "hello\n"), "hello\n");
          assertEquals(server.status.transientErrors, 9);
          assertEquals(clock.count, 9);
        },
      );
      assert(times.length > 9);
      const { socket: broken } = failing([...few, error]);
      await using server = on(new Server(LOOPBACK, EchoLine), broken);
      const served = () => server.serveForever();
      const got = await within(assertRejects(served, OSError, "Cannot accept"));
      assertEquals(got.cause, error);
    });
  }

  Deno.test(`${Server.name}.serveForever() ends with what getRequest() throws besides`, async () => {
    class Broken extends Server {
      override getRequest(): Promise<[Socket, InetAddress]> {
        throw new TypeError("a bug");
      }
    }
    await using server = new Broken(LOOPBACK, EchoLine);
    const served = assertRejects(
      () => server.serveForever(),
      TypeError,
      "a bug",
    );
    using _client = await connectTo(server);
    await within(served);
  });
}

Deno.test("TCPServer.handleRequest() counts and skips a client that is gone", async () => {
  const { socket } = failing([deno("NotConnected"), withCode("EMFILE")]);
  await using server = on(new TCPServer(LOOPBACK, EchoLine), socket);
  await server.handleRequest();
  await server.handleRequest();
  assertEquals(server.status.transientErrors, 1);
  assertEquals(server.status.resourceErrors, 1);
  const handled = server.handleRequest();
  assertEquals(await ask(server, "hello\n"), "hello\n");
  await handled;
});

Deno.test("TCPServer.serveForever() ends when its socket is closed under it", async () => {
  const server = new TCPServer(LOOPBACK, EchoLine);
  const served = assertRejects(() => server.serveForever(), OSError, "EBADF");
  server.socket.close();
  await within(served);
  await server.serverClose();
});

Deno.test("UDPServer.serveForever() goes on after an error of an earlier answer", async () => {
  let failures = 1;
  class Server extends UDPServer {
    override getRequest() {
      if (failures-- > 0) {
        const options = { code: "ECONNREFUSED" };
        return Promise.reject(new OSError("refused", options));
      }
      return super.getRequest();
    }
  }
  await serving(new Server(LOOPBACK, EchoDatagram), async (server) => {
    assertEquals(await ask(server, "hello"), "hello");
    assertEquals(server.status.transientErrors, 1);
  });
});

/** Returns the text that a server prints for an error of a handler. */
async function printed(
  error: unknown,
  lines: number,
  options: ServerOptions = {},
): Promise<{ output: string; client: string }> {
  const output: unknown[] = [];
  let client = "";
  class Handler extends StreamRequestHandler {
    override handle() {
      client = `('${this.clientAddress[0]}', ${this.clientAddress[1]})`;
      throw error;
    }
  }
  const original = console.error;
  console.error = (...args: unknown[]) => output.push(...args);
  try {
    await serving(
      new TCPServer(LOOPBACK, Handler, options),
      (server) => tell(server, ""),
    );
  } finally {
    console.error = original;
  }
  assertEquals(output.length, lines);
  return { output: output.join("\n"), client };
}

Deno.test("BaseServer.handleError() prints what Python prints, with a stack", async () => {
  const cause = new RangeError("the reason");
  const error = new TypeError("a bug", { cause });
  const { output, client } = await printed(error, 1);
  const rule = "-".repeat(40);
  const [first, second, ...rest] = output.split("\n");
  assertEquals(first, rule);
  assertEquals(
    second,
    `Exception occurred during processing of request from ${client}`,
  );
  assertEquals(rest[0], "TypeError: a bug");
  assertMatch(rest[1], /^ {4}at .*server_errors_test\.ts/);
  assert(
    rest.some((line) =>
      line.includes("Caused by RangeError: the reason") ||
      line.includes("the reason")
    ),
  );
  assertEquals(rest.at(-1), rule);
});

Deno.test("BaseServer.handleError() prints values that are no errors", async () => {
  const { output } = await printed("just text", 1);
  assertMatch(output, /^Uncaught value: "just text"$/m);
});

/** An OSError as a call on a connection ends with. */
const lost = (code: string) => new OSError(`Cannot recv: ${code}`, { code });

Deno.test("BaseServer.reportLostClients false keeps handleError() silent about lost clients", async () => {
  const options = { reportLostClients: false };
  for (
    const error of [
      ...["ECONNRESET", "ECONNABORTED", "EPIPE", "ETIMEDOUT", "EBADF"]
        .map(lost),
      new IncompleteReadError("ended", new Uint8Array(1), 2),
      new SuppressedError(lost("EPIPE"), lost("ECONNRESET")),
    ]
  ) {
    await printed(error, 0, options);
    await printed(error, 1);
  }
});

Deno.test("BaseServer.reportLostClients false lets handleError() print all else", async () => {
  const options = { reportLostClients: false };
  for (
    const error of [
      new TypeError("a bug"),
      lost("ECONNREFUSED"),
      new SuppressedError(lost("EPIPE"), new TypeError("a bug")),
      "just text",
    ]
  ) await printed(error, 1, options);
});

Deno.test("BaseServer.reportLostClients false is for clients that are silent, and for those that abort() cuts off", async () => {
  const errors: unknown[] = [];
  class Silent extends StreamRequestHandler {
    override timeout = 0.01;
    override async handle() {
      if (errors.length > 0) this.request.abort();
      await this.rfile.readline();
    }
  }
  class Server extends TCPServer {
    static override reportLostClients = false;
    override handleError(request: Socket, from: InetAddress, error: unknown) {
      errors.push((error as OSError).code);
      return super.handleError(request, from, error);
    }
  }
  const original = console.error;
  console.error = (...args: unknown[]) => errors.push(args);
  try {
    await serving(new Server(LOOPBACK, Silent), async (server) => {
      for (let i = 0; i < 2; i++) {
        using client = await connectTo(server);
        await client.recv(1).catch(() => {}); // an end, and then a reset
      }
    });
  } finally {
    console.error = original;
  }
  assertEquals(errors, ["ETIMEDOUT", "EBADF"]);
});

Deno.test("TCPServer goes on after a client that resets in the middle", async () => {
  const errors: unknown[] = [];
  class Server extends TCPServer {
    override handleError(_request: Socket, _from: InetAddress, error: unknown) {
      errors.push(error);
    }
  }
  class Greeting extends StreamRequestHandler {
    override async handle() {
      await this.wfile.write("hello\n");
      await this.wfile.write(await this.rfile.readline());
    }
  }
  await serving(new Server(LOOPBACK, Greeting), async (server) => {
    const client = connect(server.serverAddress[1] as number, "127.0.0.1");
    await within(once(client, "data"));
    client.resetAndDestroy();
    assertEquals(await ask(server, "again\n"), "hello\nagain\n");
  });
  assertEquals(errors.map((error) => (error as OSError).code), ["ECONNRESET"]);
});

Deno.test("StreamRequestHandler.timeout ends a client that says nothing, and the server goes on", async () => {
  const errors: unknown[] = [];
  class Server extends TCPServer {
    override handleError(_request: Socket, _from: InetAddress, error: unknown) {
      errors.push(error);
    }
  }
  let timeout = 0.02;
  class Impatient extends EchoLine {
    override timeout = timeout;
  }
  await serving(new Server(LOOPBACK, Impatient), async (server) => {
    using silent = await connectTo(server);
    assertEquals(await silent.recv(1), new Uint8Array(0)); // the server closes
    timeout = 20; // this one may be slow
    assertEquals(await ask(server, "hello\n"), "hello\n");
  });
  assertEquals(errors.length, 1);
  assert(errors[0] instanceof TimeoutError);
});

Deno.test({
  name: "AsyncTCPServer survives real EMFILE and recovers",
  ignore: Deno.build.os !== "linux" || !granted("run"),
  async fn() {
    const script = new URL("../testdata/few_descriptors.ts", import.meta.url);
    const run = `ulimit -n 80 && exec "$0" run --no-prompt --allow-net "$1"`;
    await using child = boundedCommand("sh", {
      args: ["-c", run, Deno.execPath(), script.pathname],
      env: { DENO_NO_UPDATE_CHECK: "1" }, // which needs descriptors too, some time after the start
      stdin: "piped",
      stdout: "piped",
    }).spawn();
    const input = child.stdin.getWriter();
    const output = child.stdout.pipeThrough(new TextDecoderStream());
    const lines = output.values();
    const next = async () => JSON.parse((await within(lines.next())).value!);
    const address = await next();
    const clients: Socket[] = [];
    for (let i = 0; i < 100; i++) {
      clients.push(await createConnection(address, { timeout: 30 }));
    }
    let status;
    do {
      await input.write(bytes("status\n"));
      status = await next();
    } while (status.resourceErrors === 0);
    assert(status.active < 80, JSON.stringify(status));
    for (const client of clients.splice(0, 60)) client.close();
    const last = clients.at(-1)!; // it was in the backlog all the time
    await last.sendall(bytes("hello\n"));
    assertEquals(text(await last.recv(100)), "hello\n");
    for (const client of clients) client.close();
    await input.close();
    assertEquals((await within(child.status)).code, 0);
    await lines.return?.();
  },
});
