/** What `status` of a server says: the bytes of its requests. */

import {
  AsyncTCPServer,
  BaseRequestHandler,
  createConnection,
  relay,
  type RequestHandlerConstructor,
  SHUT_WR,
  type Socket,
  StreamRequestHandler,
} from "../mod.ts";
import { assert, assertEquals } from "./deps.ts";
import {
  type AnyServer,
  bytes,
  connectTo,
  Event,
  LOOPBACK,
  serving,
  text,
  until,
} from "./server_helpers.ts";
import { clientContext, serverContext } from "./ssl_helpers.ts";
import { connectTls, makeServer } from "./ssl_server_helpers.ts";
import { memorySocketpair } from "../testing.ts";

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
