/** What a handler in a worker has not read is there for the `shutdownRequest` of the server. */

import {
  type RequestHandlerConstructor,
  SHUT_WR,
  type Socket,
  ThreadingTCPServer,
  ThreadingUnixStreamServer,
} from "../mod.ts";
import { assertEquals } from "./deps.ts";
import { recvToEnd } from "./helpers.ts";
import { bytes, newPath, text } from "./server_helpers.ts";
import { BlockingLeaves, Leaves } from "./testdata/leaving_handlers.ts";
import { readText, Running } from "./threading_helpers.ts";
import { haveUnix, mayRead } from "./helpers/allowed.ts";
import { within } from "./helpers/within.ts";

/** What `shutdownRequest` has read, of one request after the other. */
class Rests {
  readonly #all: PromiseWithResolvers<Uint8Array>[] = [];
  #taken = 0;
  #given = 0;

  #at(index: number): PromiseWithResolvers<Uint8Array> {
    return this.#all[index] ??= Promise.withResolvers();
  }

  async read(request: Socket): Promise<void> {
    request.settimeout(null);
    this.#at(this.#given++).resolve(await recvToEnd(request));
  }

  next(): Promise<Uint8Array> {
    return within(this.#at(this.#taken++).promise);
  }
}

class TCP extends ThreadingTCPServer {
  readonly rests = new Rests();
  override async shutdownRequest(request: Socket) {
    if (request.fileno() >= 0) await this.rests.read(request);
    await super.shutdownRequest(request);
  }
}

class Unix extends ThreadingUnixStreamServer {
  readonly rests = new Rests();
  override async shutdownRequest(request: Socket) {
    if (request.fileno() >= 0) await this.rests.read(request);
    await super.shutdownRequest(request);
  }
}

const HANDLERS = [Leaves, BlockingLeaves as unknown as typeof Leaves];

function restTest(
  behaviour: string,
  fn: (running: Running<TCP | Unix>) => Promise<void>,
): void {
  for (const Handler of HANDLERS as RequestHandlerConstructor[]) {
    Deno.test({
      name: `A server with ${Handler.name} over TCP ${behaviour}`,
      ignore: !mayRead,
      async fn() {
        await using running = new Running<TCP>(
          new TCP(["127.0.0.1", 0], Handler, { maxWorkers: 2 }),
        );
        await within(fn(running));
        assertEquals(running.reports.left, 0);
      },
    });
    Deno.test({
      name: `A server with ${Handler.name} over Unix sockets ${behaviour}`,
      ignore: !mayRead || !haveUnix,
      async fn() {
        await using running = new Running<Unix>(
          new Unix(newPath(), Handler, { maxWorkers: 2 }),
        );
        await within(fn(running));
        assertEquals(running.reports.left, 0);
      },
    });
  }
}

restTest("gets what came with what the handler read", async (running) => {
  for (const first of ["a", "p", "t"]) {
    using client = await running.connect();
    await client.sendall(bytes(`${first}rest`));
    assertEquals(await readText(client, 1), "k");
    await client.shutdown(SHUT_WR);
    const rest = text(await running.server.rests.next());
    assertEquals(rest, first === "t" ? "" : "rest", first);
  }
});

restTest("gets what comes after the end of the handler", async (running) => {
  for (const first of ["a", "t"]) {
    using client = await running.connect();
    await client.sendall(bytes(first));
    assertEquals(await readText(client, 1), "k");
    await client.sendall(bytes("later"));
    await client.sendall(bytes(" and later"));
    await client.shutdown(SHUT_WR);
    const rest = text(await running.server.rests.next());
    assertEquals(rest, "later and later", first);
  }
});

restTest("gets all of an upload that was under way", async (running) => {
  const data = new Uint8Array(3_000_000).map((_, i) => (i * 7) ^ (i >> 8));
  for (let i = 0; i < 20; i++) {
    using client = await running.connect();
    const upload = data.subarray(0, i < 10 ? 100_000 * i + 2 : data.length);
    const sent = client.sendall(bytes("a")).then(() => client.sendall(upload));
    assertEquals(await readText(client, 1), "k");
    await sent;
    await client.shutdown(SHUT_WR);
    const rest = await running.server.rests.next();
    assertEquals(rest.length, upload.length, `upload ${i}`);
    assertEquals(rest.every((byte, at) => byte === upload[at]), true);
  }
});

restTest(
  "finds a connection closed that the handler closed",
  async (running) => {
    using client = await running.connect();
    await client.sendall(bytes("crest"));
    assertEquals(text(await recvToEnd(client).catch(() => bytes(""))), "");
  },
);
