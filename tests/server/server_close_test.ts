/** The end of a server: what `serverClose` waits for, what it cuts off, and what it says. */

import {
  BaseRequestHandler,
  DatagramRequestHandler,
  StreamRequestHandler,
} from "../../handlers.ts";
import { AsyncTCPServer, AsyncUDPServer } from "../../mixins.ts";
import { type RequestHandlerConstructor, TCPServer } from "../../server.ts";
import { type InetAddress, OSError, Socket } from "../../socket.ts";
import { assert, assertEquals, assertRejects } from "../deps.ts";
import { bytes, text } from "../helpers/bytes.ts";
import { ask, connectTo } from "../helpers/clients.ts";
import { EchoLine, LOOPBACK, serving } from "../helpers/servers.ts";
import { Event, within } from "../helpers/within.ts";

/** Handlers that are under way until they are told to end. */
function waiting() {
  const began = new Event<AbortSignal>();
  const release = new Event();
  class Waiting extends StreamRequestHandler {
    override async handle() {
      began.set(this.signal);
      await release.wait();
      await this.wfile.write("done\n");
    }
  }
  return { began, release, Waiting };
}

for (const Server of [TCPServer, AsyncTCPServer]) {
  const { name } = Server;

  Deno.test(`${name}.serverClose() waits for a request under way, and takes no other`, async () => {
    const { began, release, Waiting } = waiting();
    const server = new Server(LOOPBACK, Waiting);
    const served = server.serveForever();
    const answer = ask(server, "hello\n");
    const signal = await began.wait();
    assertEquals(signal.aborted, false);
    let closed = false;
    const closing = server.serverClose().finally(() => closed = true);
    assertEquals(signal.aborted, true); // the handler sees the drain at once
    await within(server.socket.waitClosed()); // an accept in flight holds the port for a turn
    const refused = () => connectTo(server);
    await assertRejects(refused, OSError, "ECONNREFUSED");
    assertEquals(closed, false);
    assertEquals(server.status.active, 1);
    release.set();
    assertEquals(await answer, "done\n");
    assertEquals(await within(closing), { idle: 0, finished: 1, forced: 0 });
    await within(served);
    assertEquals(server.status.active, 0);
  });

  Deno.test(`${name}.serverClose() cuts off a handler that waits in recv()`, async () => {
    const began = new Event();
    const ended = new Event<unknown>();
    class Handler extends BaseRequestHandler {
      override async handle() {
        began.set();
        await this.request.recv(1).catch((error) => {
          ended.set(error);
          throw error;
        });
      }
    }
    const reports = await forced(Server, Handler, began);
    assertEquals(reports, []); // the server cut it off: that is no news
    const error = await ended.wait();
    assert(error instanceof OSError && error.code === "EBADF");
  });

  Deno.test(`${name}.serverClose() cuts off a handler that sends to a client that does not read`, async () => {
    const began = new Event();
    class Handler extends StreamRequestHandler {
      override async handle() {
        const sent = this.wfile.write(new Uint8Array(64 << 20));
        began.set();
        await sent;
      }
    }
    assertEquals(await forced(Server, Handler, began), []);
  });

  Deno.test(`${name}.serverClose() leaves a handler behind that never ends`, async () => {
    const began = new Event();
    class Handler extends StreamRequestHandler {
      override handle(): Promise<void> {
        began.set();
        return new Promise(() => {});
      }
    }
    assertEquals(await forced(Server, Handler, began), []);
  });

  Deno.test(`${name}.serverClose() frees its port while a handler is forced`, async () => {
    const { began, release, Waiting } = waiting();
    const server = new Server(LOOPBACK, Waiting);
    const served = server.serveForever();
    using _client = await connectTo(server);
    await began.wait();
    await within(server.serverClose({ timeout: 0 }));
    await using again = new Server(server.serverAddress, EchoLine);
    const handled = again.handleRequest();
    assertEquals(await ask(again, "hello\n"), "hello\n");
    await handled;
    await within(served);
    release.set();
    await release.wait();
  });

  Deno.test(`${name}.serverClose() turns a request away that was still being got`, async () => {
    const getting = new Event();
    const release = new Event();
    let handled = 0;
    class Slow extends Server {
      override async getRequest(): Promise<[Socket, InetAddress]> {
        const got = await super.getRequest(); // a TLS handshake would be like this
        getting.set();
        await release.wait();
        return got;
      }
    }
    class Handler extends StreamRequestHandler {
      override handle() {
        handled++;
      }
    }
    const server = new Slow(LOOPBACK, Handler);
    const served = server.serveForever();
    const answer = ask(server, "hello\n");
    await getting.wait();
    const closing = server.serverClose();
    release.set();
    assertEquals(await within(closing), { idle: 0, finished: 0, forced: 0 });
    assertEquals(await answer, "");
    await within(served);
    assertEquals(handled, 0);
    assertEquals(server.status.rejected, 1);
  });
}

/** Forces a server whose one handler does not end; returns what `handleError` got. */
async function forced(
  Server: typeof TCPServer,
  Handler: RequestHandlerConstructor<Socket>,
  began: Event,
): Promise<unknown[]> {
  const errors: unknown[] = [];
  class Recording extends Server {
    override handleError(_request: Socket, _from: InetAddress, error: unknown) {
      errors.push(error);
    }
  }
  const server = new Recording(LOOPBACK, Handler);
  const served = server.serveForever();
  using client = await connectTo(server);
  await began.wait();
  const patient = server.serverClose(); // without a limit: the other one's counts for both
  const report = await within(server.serverClose({ timeout: 0.02 }));
  assertEquals(report, { idle: 0, finished: 0, forced: 1 });
  await within(patient);
  await within(server.serverClose()); // as `await using` does
  assertEquals(server.status.active, 0);
  await within(served);
  await within(drained(client));
  return errors;
}

/** Resolves when the peer has closed, in whichever way. */
async function drained(client: Socket): Promise<void> {
  try {
    while ((await client.recv(1 << 20)).length > 0);
  } catch (error) {
    assert(error instanceof OSError && error.code === "ECONNRESET", `${error}`);
  }
}

Deno.test("AsyncTCPServer.serverClose() counts what finished and what was forced", async () => {
  class Handler extends StreamRequestHandler {
    override async handle() {
      const line = await this.rfile.readline();
      if (text(line) === "stay\n") await this.rfile.readline();
    }
  }
  const server = new AsyncTCPServer(LOOPBACK, Handler);
  const served = server.serveForever();
  using stay = await connectTo(server);
  using end = await connectTo(server);
  await stay.sendall(bytes("stay\n"));
  while (server.status.active < 2) await ask(server, "end\n");
  const closing = server.serverClose({ timeout: 0.05 });
  await end.sendall(bytes("end\n"));
  assertEquals(await within(closing), { idle: 0, finished: 1, forced: 1 });
  await within(served);
});

Deno.test("TCPServer.serverClose() refuses a timeout that is none", async () => {
  await using server = new TCPServer(LOOPBACK, EchoLine);
  for (const timeout of [-1, NaN]) {
    const close = () => server.serverClose({ timeout });
    await assertRejects(close, RangeError, `got ${timeout}`);
  }
});

Deno.test("AsyncTCPServer.serverClose() does not wait if blockOnClose is false", async () => {
  const { began, release, Waiting } = waiting();
  class Server extends AsyncTCPServer {
    static override blockOnClose = false;
  }
  const server = new Server(LOOPBACK, Waiting);
  const served = server.serveForever();
  const answer = ask(server, "hello\n");
  const signal = await began.wait();
  assertEquals(await within(server.serverClose()), {
    idle: 0,
    finished: 0,
    forced: 0,
  });
  await within(served);
  assertEquals(signal.aborted, true);
  assertEquals(server.fileno(), -1);
  release.set();
  assertEquals(await answer, "done\n"); // what was under way still ends well
});

Deno.test("AsyncUDPServer.serverClose() lets handlers answer before it closes the socket", async () => {
  const began = new Event();
  const release = new Event();
  class Handler extends DatagramRequestHandler {
    override async handle() {
      began.set();
      await release.wait();
      await this.wfile.write("done");
    }
  }
  const server = new AsyncUDPServer(LOOPBACK, Handler);
  const served = server.serveForever();
  const answer = ask(server, "hello");
  await began.wait();
  const closing = server.serverClose();
  await within(served);
  assert(server.fileno() > 0);
  release.set();
  assertEquals(await answer, "done");
  assertEquals(await within(closing), { idle: 0, finished: 1, forced: 0 });
  assertEquals(server.fileno(), -1);
});

Deno.test("AsyncUDPServer.serverClose() leaves a handler behind that never ends", async () => {
  const began = new Event();
  class Handler extends DatagramRequestHandler {
    override handle(): Promise<void> {
      began.set();
      return new Promise(() => {});
    }
  }
  const server = new AsyncUDPServer(LOOPBACK, Handler);
  const served = server.serveForever();
  using client = await connectTo(server);
  await client.sendall(bytes("hello"));
  await began.wait();
  const report = await within(server.serverClose({ timeout: 0.02 }));
  assertEquals(report, { idle: 0, finished: 0, forced: 1 });
  await within(served);
});

Deno.test("BaseRequestHandler.signal is aborted for a request that begins with the drain", async () => {
  const { began, release, Waiting } = waiting();
  const seen: boolean[] = [];
  class Handler extends Waiting {
    override async handle() {
      await super.handle();
      seen.push(this.signal.aborted);
    }
  }
  const server = new AsyncTCPServer(LOOPBACK, Handler);
  const served = server.serveForever();
  const answer = ask(server, "hello\n");
  await began.wait();
  release.set();
  const closing = server.serverClose();
  await Promise.all([closing, answer, served]);
  assertEquals(seen, [true]);
  assertEquals(server.requestSignal(null as never).aborted, true);
});

Deno.test("BaseRequestHandler.signal aborts also if a hook put another request in place", async () => {
  const began = new Event<AbortSignal>();
  const { release, Waiting } = waiting();
  class Handler extends Waiting {
    override async handle() {
      began.set(this.signal);
      await super.handle();
    }
  }
  class Wrapping extends AsyncTCPServer {
    override async finishRequest(request: Socket, clientAddress: InetAddress) {
      const wrapped = Socket.from(request.detach()); // TLS, for example
      await super.finishRequest(wrapped, clientAddress);
      await super.shutdownRequest(wrapped);
    }
  }
  const server = new Wrapping(LOOPBACK, Handler);
  const served = server.serveForever();
  const answer = ask(server, "hello\n");
  const signal = await began.wait();
  assertEquals(signal.aborted, false);
  const closing = server.serverClose();
  assertEquals(signal.aborted, true);
  release.set();
  assertEquals(await answer, "done\n");
  assertEquals(await within(closing), { idle: 0, finished: 1, forced: 0 });
  await within(served);
});

Deno.test("TCPServer.shutdown() alone leaves the port, and the requests under way", async () => {
  const { began, release, Waiting } = waiting();
  await using server = new AsyncTCPServer(LOOPBACK, Waiting);
  const served = server.serveForever();
  const answer = ask(server, "hello\n");
  const signal = await began.wait();
  await within(server.shutdown());
  await within(served);
  assertEquals(signal.aborted, false);
  assertEquals(server.status.active, 1);
  const queued = ask(server, "hello\n"); // the backlog takes it
  release.set();
  assertEquals(await answer, "done\n");
  await serving(server, async () => assertEquals(await queued, "done\n"));
});
