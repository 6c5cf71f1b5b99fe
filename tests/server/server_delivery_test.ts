/** A server that closes delivers its answers, reports its errors to the program, and forgets its signals. */

import {
  BlockingStreamRequestHandler,
  StreamRequestHandler,
} from "../../handlers.ts";
import {
  AsyncTCPServer,
  ForkingTCPServer,
  ThreadingTCPServer,
} from "../../mixins.ts";
import {
  type RequestHandlerConstructor,
  TCPServer,
  UDPServer,
} from "../../server.ts";
import { OSError, Socket } from "../../socket.ts";
import {
  assert,
  assertEquals,
  assertRejects,
  assertThrows,
  fakeTime,
} from "../deps.ts";
import { granted } from "../helpers/allowed.ts";
import { connectTo, tell } from "../helpers/clients.ts";
import { FakeStream } from "../helpers/fakes.ts";
import {
  type AnyServerClass,
  EchoDatagram,
  EchoLine,
  LOOPBACK,
  serving,
} from "../helpers/servers.ts";
import { endOfTurn } from "../helpers/turns.ts";
import { boundedCommand, until, within } from "../helpers/within.ts";
import { Big, SIZE } from "../testdata/big_handlers.ts";

const mayRun = granted("read", "run", "env");

for (
  const Server of [
    TCPServer,
    AsyncTCPServer,
    ThreadingTCPServer,
    ForkingTCPServer,
  ] as unknown as AnyServerClass[]
) {
  Deno.test({
    name:
      `${Server.name}.serverClose() waits until a client has all that a handler left behind`,
    ignore: /^(Thread|Fork)/.test(Server.name) && !mayRun,
    async fn() {
      const server = new Server(
        LOOPBACK,
        Big as unknown as RequestHandlerConstructor,
      );
      const served = server.serveForever();
      using client = await connectTo(server);
      let count = (await client.recv(1)).length; // the handler has run
      let closed = false;
      const closing = server.serverClose().finally(() => closed = true);
      for (let turns = 0; turns < 100; turns++) await endOfTurn();
      assertEquals(closed, false);
      for (let piece = 1; piece > 0; count += piece) {
        piece = (await client.recv(1 << 20)).length;
      }
      assertEquals(count, SIZE);
      assertEquals(await within(closing), { idle: 0, finished: 1, forced: 0 });
      await within(served);
    },
  });
}

/** Runs `finish` of a handler whose files end with an error. */
function finishing(
  Handler: typeof StreamRequestHandler | typeof BlockingStreamRequestHandler,
  error: Error,
): { finish: () => void | Promise<void>; closed: () => boolean } {
  let closed = false;
  const handler = new Handler(
    undefined as never,
    LOOPBACK as never,
    undefined as never,
  );
  const wfile = {
    close() {
      throw error;
    },
  };
  Object.assign(handler, { wfile, rfile: { close: () => closed = true } });
  return { finish: () => handler.finish(), closed: () => closed };
}

Deno.test("StreamRequestHandler.finish() keeps errors of the network, and throws all others", async () => {
  const gone = finishing(StreamRequestHandler, new OSError("gone"));
  await gone.finish();
  assert(gone.closed());
  const bug = finishing(StreamRequestHandler, new TypeError("a bug"));
  await assertRejects(async () => await bug.finish(), TypeError, "a bug");
  assert(bug.closed());
});

Deno.test("BlockingStreamRequestHandler.finish() keeps errors of the network, and throws all others", () => {
  const gone = finishing(BlockingStreamRequestHandler, new OSError("gone"));
  gone.finish();
  assert(gone.closed());
  const bug = finishing(BlockingStreamRequestHandler, new TypeError("a bug"));
  assertThrows(() => bug.finish(), TypeError, "a bug");
  assert(bug.closed());
});

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  Deno.test({
    name: `serve() leaves a second ${signal} to end the program`,
    ignore: Deno.build.os === "windows" || !mayRun,
    async fn() {
      const script = new URL("../testdata/stuck_server.ts", import.meta.url);
      await using child = boundedCommand(Deno.execPath(), {
        args: ["run", "-A", "--quiet", script.pathname],
        stdout: "piped",
        stderr: "null",
      }).spawn();
      const lines = child.stdout.pipeThrough(new TextDecoderStream());
      const reader = lines.getReader();
      for (const word of ["serving\n", "draining\n"]) {
        assertEquals((await within(reader.read(), 30_000)).value, word);
        child.kill(signal);
      }
      const status = await within(child.status, 30_000);
      assertEquals(status.signal, signal);
      await reader.cancel();
    },
  });
}

Deno.test("TCPServer.serveForever() forgets its signal, however it ends", async () => {
  const { signal } = new AbortController();
  let listeners = 0;
  const { addEventListener, removeEventListener } = signal;
  signal.addEventListener = (...args: unknown[]) => {
    listeners++;
    addEventListener.apply(signal, args as never);
  };
  signal.removeEventListener = (...args: unknown[]) => {
    listeners--;
    removeEventListener.apply(signal, args as never);
  };
  await using server = new TCPServer(LOOPBACK, EchoLine);
  for (let i = 0; i < 3; i++) {
    const served = server.serveForever({ signal });
    assertEquals(listeners, 1);
    await within(server.shutdown());
    await within(served);
    assertEquals(listeners, 0);
  }
  server.getRequest = () => {
    throw new TypeError("a bug");
  };
  const failed = assertRejects(
    () => server.serveForever({ signal }),
    TypeError,
  );
  using _client = await connectTo(server);
  await within(failed);
  assertEquals(listeners, 0);
});

Deno.test("Socket.close() gives what is on its way up after half a minute", async () => {
  class Deaf extends FakeStream {
    override write(): Promise<number> {
      return new Promise(() => {});
    }
  }
  using time = await fakeTime();
  const transport = new Deaf();
  const socket = Socket.from(transport);
  socket.sendall(new Uint8Array(1));
  socket.close();
  await time.tickAsync(29_999);
  assertEquals(transport.calls, []);
  await time.tickAsync(1);
  assertEquals(transport.calls, ["close"]);
});

Deno.test("UDPServer.serverClose() closes the socket though the close fails", async () => {
  const server = new UDPServer(LOOPBACK, EchoDatagram);
  await assertRejects(() => server.serverClose({ timeout: -1 }), RangeError);
  assertEquals(server.fileno(), -1);
});

Deno.test("a request that is turned away is not under way any more", async () => {
  class Choosy extends AsyncTCPServer {
    static override maxConnectionsPerClient = 1;
    override verifyRequest() {
      return this.status.accepted !== 1;
    }
  }
  const server = new Choosy(LOOPBACK, EchoLine);
  await serving(server, async () => {
    await tell(server, "");
    await tell(server, "hello\n");
    await until(() => server.status.active === 0);
    const { accepted, rejected } = server.status;
    assertEquals({ accepted, rejected }, { accepted: 2, rejected: 1 });
  });
});
