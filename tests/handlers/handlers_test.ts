/** The handlers: their fields, files and settings, and the delivery of their writes. */

import { LimitOverrunError } from "../../mod.ts";
import {
  BaseRequestHandler,
  DualRequestHandler,
  StreamRequestHandler,
} from "../../handlers.ts";
import { type RequestHandlerConstructor, TCPServer } from "../../server.ts";
import { type InetAddress, OSError, SHUT_WR, Socket } from "../../socket.ts";
import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "../deps.ts";
import { bytes, text } from "../helpers/bytes.ts";
import { ask, connectTo, tell } from "../helpers/clients.ts";
import { EchoLine, LOOPBACK, serving } from "../helpers/servers.ts";
import { FrozenClock } from "../helpers/turns.ts";
import { Event, within } from "../helpers/within.ts";
import { serveRequest } from "../../testing.ts";

/** Records the errors of `handleError`. */
class Recording extends TCPServer {
  readonly errors: unknown[] = [];
  override handleError(_request: Socket, _from: InetAddress, error: unknown) {
    this.errors.push(error);
  }
}

/** Serves with a handler, which must cause no error. */
async function handling(
  Handler: RequestHandlerConstructor<Socket>,
  use: (server: Recording) => Promise<void>,
): Promise<Recording> {
  const server = new Recording(LOOPBACK, Handler);
  await serving(server, use);
  return server;
}

Deno.test("BaseRequestHandler has the request, the client's address and the server", async () => {
  const seen = new Event<unknown[]>();
  class Handler extends BaseRequestHandler {
    override async handle() {
      const data = await this.request.recv(1024);
      await this.request.sendall(bytes(text(data).toUpperCase()));
      seen.set([this.request.getpeername(), this.clientAddress, this.server]);
    }
  }
  const server = await handling(Handler, async (server) => {
    assertEquals(await ask(server, "hello"), "HELLO");
  });
  const [peer, clientAddress, its] = await seen.wait();
  assertEquals(clientAddress, peer);
  assertStrictEquals(its, server);
  assertEquals(server.errors, []);
});

Deno.test("a handler whose constructor throws is reported, and its request closed", async () => {
  class Handler extends StreamRequestHandler {
    constructor(
      request: Socket,
      clientAddress: InetAddress,
      server: TCPServer,
    ) {
      super(request, clientAddress, server);
      throw new Error("unfit");
    }
  }
  const server = await handling(Handler, async (server) => {
    assertEquals(await ask(server, "hello"), "");
  });
  assertEquals(String(server.errors), "Error: unfit");
});

Deno.test("StreamRequestHandler has connection, rfile and wfile, closed at the end", async () => {
  const ended = new Event<StreamRequestHandler>();
  class Handler extends StreamRequestHandler {
    override async handle() {
      assertStrictEquals(this.connection, this.request);
      assertEquals(this.wfile.readable(), false);
      assertEquals(this.wfile.writable(), true);
      assertEquals(this.wfile.seekable(), false);
      assertEquals(this.rfile.readable(), true);
      assertEquals(this.rfile.writable(), false);
      assertEquals(this.rfile.closed, false);
      assertEquals(this.wfile.closed, false);
      assert(!("read" in this.wfile) && !("write" in this.rfile));
      await this.wfile.writelines(["a", new Uint8Array([98]), "ü\n"]);
    }
    override async finish() {
      await super.finish();
      ended.set(this);
    }
  }
  const server = await handling(Handler, async (server) => {
    assertEquals(await ask(server, ""), "abü\n");
  });
  assertEquals(server.errors, []);
  const { rfile, wfile, request } = await ended.wait();
  assertEquals(rfile.closed, true);
  assertEquals(wfile.closed, true);
  assertEquals(request.fileno(), -1);
  await assertRejects(() => wfile.write("more"), TypeError, "closed file");
});

Deno.test("StreamRequestHandler.wfile.write() sends at once, and all of a large buffer", async () => {
  const SIZE = 16 * 1024 * 1024 + 1; // as CPython's SOCK_MAX_SIZE
  const counts: number[] = [];
  class Handler extends StreamRequestHandler {
    override async handle() {
      counts.push(await this.wfile.write("write data\n"));
      counts.push((await this.rfile.readline()).length); // without a flush
      counts.push(await this.wfile.write(new Uint8Array(SIZE)));
    }
  }
  const server = await handling(Handler, async (server) => {
    using client = await connectTo(server);
    using reader = client.makefile("rb");
    assertEquals(text(await reader.readline()), "write data\n");
    await client.sendall(bytes("response\n"));
    assertEquals((await reader.read(100)).length, 100);
    assertEquals((await reader.read()).length, SIZE - 100);
  });
  assertEquals(server.errors, []);
  assertEquals(counts, [11, 9, SIZE]);
});

Deno.test("StreamRequestHandler sends unawaited writes in order before it closes", async () => {
  class Handler extends StreamRequestHandler {
    override handle() {
      for (let i = 0; i < 1000; i++) this.wfile.write(`${i}\n`);
      this.wfile.write(new Uint8Array(1 << 20).fill(120));
      this.wfile.write("end");
    }
  }
  const server = await handling(Handler, async (server) => {
    const got = await ask(server, "");
    const numbers = Array.from({ length: 1000 }, (_, i) => `${i}\n`).join("");
    assertEquals(got.length, numbers.length + (1 << 20) + 3);
    assert(got.startsWith(numbers) && got.endsWith("xend"));
  });
  assertEquals(server.errors, []);
});

for (
  const [wbufsize, held] of [
    [0, false],
    [4, false],
    [16, true],
    [-1, true],
  ] as const
) {
  Deno.test(`StreamRequestHandler with wbufsize ${wbufsize} has sent all writes at the end`, async () => {
    class Handler extends StreamRequestHandler {
      override wbufsize = wbufsize;
      override async handle() {
        const line = await this.rfile.readline();
        await this.wfile.write("pong ");
        await this.wfile.write(line);
        if (text(line) === "flush\n") await this.wfile.flush();
        await this.request.recv(1); // unlike rfile, the socket flushes nothing
      }
    }
    const server = await handling(Handler, async (server) => {
      using client = await connectTo(server);
      using reader = client.makefile("rb");
      await client.sendall(bytes("ping\n"));
      if (held) { // no data before the flush of finish()
        client.settimeout(0.02);
        await assertRejects(() => reader.readline(), OSError, "timed out");
        client.settimeout(30);
        await client.shutdown(SHUT_WR);
      }
      assertEquals(text(await reader.readline()), "pong ping\n");
      if (!held) return;
      using other = await connectTo(server);
      using file = other.makefile("rb");
      await other.sendall(bytes("flush\n"));
      assertEquals(text(await file.readline()), "pong flush\n");
    });
    assertEquals(server.errors, []);
  });
}

for (const rbufsize of [0, 1, -1]) {
  Deno.test(`StreamRequestHandler with rbufsize ${rbufsize} reads lines and the rest`, async () => {
    const rest = new Event<string>();
    class Handler extends StreamRequestHandler {
      override rbufsize = rbufsize;
      override async handle() {
        await this.wfile.write(await this.rfile.readline());
        if (rbufsize === 0) rest.set(text(await this.request.recv(100)));
        else rest.set(text(await this.rfile.read()));
      }
    }
    const server = await handling(Handler, async (server) => {
      assertEquals(await ask(server, "one\ntwo\nthree"), "one\n");
    });
    assertEquals(await rest.wait(), "two\nthree"); // not read ahead without a buffer
    assertEquals(server.errors, []);
  });
}

for (const name of ["rbufsize", "wbufsize"] as const) {
  Deno.test(`StreamRequestHandler with ${name} -2 is reported`, async () => {
    class Handler extends StreamRequestHandler {
      [name] = -2;
    }
    const server = await handling(Handler, (server) => tell(server, ""));
    assertEquals(server.errors.length, 1);
    assertInstanceOf(server.errors[0], RangeError);
  });
}

Deno.test("StreamRequestHandler.rfile throws LimitOverrunError for an endless line, in bounded memory", async () => {
  let received = 0;
  class Counting extends Recording {
    override async getRequest(): Promise<[Socket, InetAddress]> {
      const [request, from] = await super.getRequest();
      const conn = request.detach() as Deno.Conn;
      const read = conn.read.bind(conn);
      conn.read = async (p) => {
        const count = await read(p);
        received += count ?? 0;
        return count;
      };
      return [Socket.from(conn), from];
    }
  }
  await serving(new Counting(LOOPBACK, EchoLine), async (server) => {
    using client = await connectTo(server);
    const endless = client.sendall(new Uint8Array(64 << 20).fill(120));
    await assertRejects(() => endless, OSError); // the server closes
    assertEquals(server.errors.length, 1);
    assertInstanceOf(server.errors[0], LimitOverrunError);
    assert(received <= 65536 * 3, `${received} bytes received`);
    assertEquals(await ask(server, "short\n"), "short\n");
  });
});

Deno.test("StreamRequestHandler.lineLimit and DualRequestHandler.lineLimit limit the lines of rfile", async () => {
  const limits: number[] = [];
  const Stream = class extends StreamRequestHandler {
    override lineLimit = 5;
    override async handle() {
      await readLimited(this, limits);
    }
  };
  const Dual = class extends DualRequestHandler {
    override lineLimit = 5;
    override async handle() {
      await readLimited(this, limits);
    }
  };
  for (const Handler of [Stream, Dual]) {
    await serving(new TCPServer(LOOPBACK, Handler), async (server) => {
      assertEquals(await ask(server, "1234\n12345\nabc\n"), "1234\nabc\n");
    });
  }
  assertEquals(limits.length, 2);
});

Deno.test("StreamRequestHandler sends the answers to pipelined lines together, with a write buffer or without", async () => {
  using _ = new FrozenClock();
  const sizes: number[] = [];
  for (const wbufsize of [-1, 0]) {
    class Answering extends StreamRequestHandler {
      override wbufsize = wbufsize;
      override setup() {
        const sendall = this.request.sendall.bind(this.request);
        this.request.sendall = (data) => {
          sizes.push((data as Uint8Array).length);
          return sendall(data);
        };
        super.setup();
      }
      override async handle() {
        for await (const line of this.rfile) await this.wfile.write(line);
      }
    }
    sizes.length = 0;
    await serving(new TCPServer(LOOPBACK, Answering), async (server) => {
      using client = await connectTo(server);
      await client.sendall(bytes("a\nbc\nd\n"));
      using file = client.makefile("rb");
      const answer = await within(file.readexactly(7)); // then it waits for more
      assertEquals(answer, bytes("a\nbc\nd\n"));
    });
    assertEquals(sizes, [7]);
  }
});

/** Returns the answer to two lines sent at once if `answer` handles the first. */
async function answering(
  answer: (handler: StreamRequestHandler) => Promise<unknown>,
  expected: string,
): Promise<Recording> {
  class Handler extends StreamRequestHandler {
    override async handle() {
      await this.rfile.readline(); // the second line makes `wfile` hold
      await answer(this);
    }
  }
  return await handling(Handler, async (server) => {
    assertEquals(await ask(server, "1\n2\n"), expected);
  });
}

Deno.test("StreamRequestHandler sends held data of wfile before data sent past wfile", async () => {
  let left = 1;
  const file = {
    read: (into: Uint8Array) => {
      into.set(bytes("f"));
      return Promise.resolve(left-- > 0 ? 1 : null);
    },
    seek: (offset: number) => Promise.resolve(offset),
  };
  await answering(async ({ request, wfile }) => {
    const other = request.makefile("wb", { buffering: 0 });
    wfile.write("a");
    request.sendall(bytes("b"));
    wfile.write("c");
    request.send(bytes("d"));
    wfile.write("e");
    request.sendfile(file);
    wfile.write("g");
    request.sendmsg([bytes("h"), bytes("i")]);
    wfile.write("j");
    other.write("k");
    wfile.write("l");
    await request.shutdown(SHUT_WR);
    await other.close();
  }, "abcdefghijkl");
});

Deno.test("StreamRequestHandler sends the held data of two files in the order of the writes", async () => {
  await answering(async ({ request, rfile, wfile }) => {
    const other = request.makefile("wb", { buffering: 0 });
    using reader = request.makefile("rb", { tie: other });
    await rfile.readline();
    const got = reader.readline();
    await request.sendall(bytes("> "));
    await got;
    other.write("a");
    wfile.write("b");
    other.write("c");
    await other.close();
  }, "> abc");
});

Deno.test("StreamRequestHandler sends held data of wfile before any other wait", async () => {
  const received = new Event<void>();
  class Handler extends StreamRequestHandler {
    override async handle() {
      for await (const line of this.rfile) {
        await this.wfile.write(line);
        await received.wait();
      }
    }
  }
  await handling(Handler, async (server) => {
    using client = await connectTo(server);
    await client.sendall(bytes("1\n2\n"));
    assertEquals(text(await within(client.recv(100))), "1\n");
    received.set();
    assertEquals(text(await within(client.recv(100))), "2\n");
  });
});

Deno.test("StreamRequestHandler sends held data of wfile if finish() leaves the files open", async () => {
  class Handler extends StreamRequestHandler {
    override async handle() {
      await this.rfile.readline();
      this.wfile.write("answer");
    }
    override async finish() {}
  }
  await handling(Handler, async (server) => {
    assertEquals(await ask(server, "1\n2\n"), "answer");
  });
});

Deno.test("StreamRequestHandler drops held data of wfile if the request is aborted", async () => {
  const told = new Event<unknown>();
  const server = new Recording(
    LOOPBACK,
    class extends StreamRequestHandler {
      override async handle() {
        await this.rfile.readline();
        await this.wfile.write("answer");
        this.request.abort();
        told.set(await this.wfile.flush().catch((error) => error));
      }
    },
  );
  await serving(server, async () => {
    using client = await connectTo(server);
    await client.sendall(bytes("1\n2\n"));
    const error = await told.wait();
    assertInstanceOf(error, OSError);
    assertEquals(error.code, "EBADF");
  });
});

Deno.test("Socket.detach() throws EBUSY while wfile of the request holds data", async () => {
  await answering(({ request, wfile }) => {
    wfile.write("answer");
    const error = assertThrows(() => request.detach(), OSError);
    assertEquals(error.code, "EBUSY");
    return Promise.resolve();
  }, "answer");
});

/** Echoes lines, and records those that are too long. */
async function readLimited(
  { rfile, wfile }: StreamRequestHandler | DualRequestHandler,
  limits: number[],
): Promise<void> {
  for (;;) {
    try {
      const line = await rfile.readline();
      if (line.length === 0) return;
      await wfile.write(line);
    } catch (error) {
      assertInstanceOf(error, LimitOverrunError);
      limits.push(error.consumed);
    }
  }
}

Deno.test("StreamRequestHandler.disableNagleAlgorithm sets TCP_NODELAY on the connection", async () => {
  const calls: unknown[] = [];
  class Spying extends Recording {
    override async getRequest(): Promise<[Socket, InetAddress]> {
      const [request, from] = await super.getRequest();
      const conn = request.detach() as Deno.TcpConn;
      const setNoDelay = conn.setNoDelay.bind(conn);
      conn.setNoDelay = (on) => void calls.push(on, setNoDelay(on));
      return [Socket.from(conn), from];
    }
  }
  class Handler extends EchoLine {
    override disableNagleAlgorithm = true;
  }
  const server = new Spying(LOOPBACK, Handler);
  await serving(server, async () => {
    assertEquals(await ask(server, "hello\n"), "hello\n");
  });
  assertEquals(calls[0], true);
  assertEquals(server.errors, []);
});

Deno.test("StreamRequestHandler.timeout sets the timeout of the connection", async () => {
  const seen: unknown[] = [];
  class Handler extends StreamRequestHandler {
    override timeout: number | null = seen.length === 0 ? 7.5 : null;
    override handle() {
      seen.push(this.connection.gettimeout());
    }
  }
  await handling(Handler, async (server) => {
    await tell(server, "");
    await tell(server, "");
  });
  assertEquals(seen, [7.5, null]);
});

Deno.test("StreamRequestHandler ends without an error if the client left, or the handler closed", async () => {
  const left = new Event();
  class Handler extends StreamRequestHandler {
    override async handle() {
      const line = text(await this.rfile.readline());
      if (line === "close\n") this.request.close();
      if (line === "wfile\n") await this.wfile.close();
      if (line === "shutdown\n") await this.request.shutdown(SHUT_WR);
      if (line !== "leave\n") return;
      await left.wait();
      this.wfile.write(new Uint8Array(1 << 20)); // to nobody, and not awaited
    }
  }
  const server = await handling(Handler, async (server) => {
    for (const way of ["close", "wfile", "shutdown"]) {
      assertEquals(await ask(server, `${way}\n`), "");
    }
    using client = await connectTo(server);
    await client.sendall(bytes("leave\n"));
    client.close();
    left.set();
    assertEquals(await ask(server, "\n"), "");
  });
  assertEquals(server.errors, []);
});

Deno.test("TCPServer closes a request whose handler leaves files open", async () => {
  const requests: Socket[] = [];
  class Handler extends BaseRequestHandler {
    override async handle() {
      requests.push(this.request);
      this.request.makefile("r");
      await this.request.makefile("wb").write("lost without flush");
      this.request.makefile("rwb");
    }
  }
  const server = await handling(Handler, async (server) => {
    assertEquals(await ask(server, "hello\n"), "");
  });
  assertEquals(server.errors, []);
  assertEquals(requests[0].fileno(), -1);
  assertThrows(() => requests[0].makefile("r"), OSError, "EBADF");
});

Deno.test("BaseRequestHandler awaits the results of its hooks, which may be synchronous", async () => {
  const log: string[] = [];
  class Plain extends BaseRequestHandler<Socket> {
    override setup = () => void log.push("setup");
    override handle = () => void log.push("handle");
    override finish = () => void log.push("finish");
  }
  const thenable = (name: string): Promise<void> =>
    ({ then: (done: () => void) => (log.push(name), done()) }) as never;
  class Odd extends BaseRequestHandler<Socket> {
    override setup = () => thenable("odd setup");
    override handle = () => thenable("odd handle");
    override finish = () => 5 as never;
  }
  await serveRequest(Plain).done;
  await serveRequest(Odd).done;
  assertEquals(log, ["setup", "handle", "finish", "odd setup", "odd handle"]);
});

for (const how of ["throws", "rejects"]) {
  Deno.test(`BaseRequestHandler.finish() sees the error if handle() ${how}, also if it was added later`, async () => {
    const failed = new Error("handle");
    let seen: unknown;
    class Failing extends BaseRequestHandler<Socket> {
      override handle(): Promise<void> {
        if (how === "rejects") return Promise.reject(failed);
        throw failed;
      }
    }
    const run = () => assertRejects(() => serveRequest(Failing).done);
    assertStrictEquals(await run(), failed);
    Failing.prototype.finish = function () {
      seen = this.failure;
    };
    assertStrictEquals(await run(), failed);
    assertStrictEquals(seen, failed);
  });
}
