/** `shutdownRequest` of the server can read the bytes that a handler in a worker has not read. */

import {
  type RequestHandlerConstructor,
  SHUT_WR,
  type Socket,
  ThreadingTCPServer,
  ThreadingUnixStreamServer,
} from "../../mod.ts";
import { assertEquals } from "../deps.ts";
import { haveUnix } from "../helpers/allowed.ts";
import { bytes, text } from "../helpers/bytes.ts";
import { readText } from "../helpers/clients.ts";
import { newPath, recvToEnd } from "../helpers/sockets.ts";
import { Running, stepsTest } from "../helpers/threading.ts";
import { within } from "../helpers/within.ts";
import { BlockingLeaves, Leaves } from "../testdata/leaving_handlers.ts";

/** The bytes that `shutdownRequest` has read, of one request after the other. */
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

/** The steps of the test, with each server. */
const STEPS: Record<string, (running: Running<TCP | Unix>) => Promise<void>> = {
  async "gets what came with what the handler read"({ server, connect }) {
    for (const first of ["a", "p", "t"]) {
      using client = await connect();
      await client.sendall(bytes(`${first}rest`));
      assertEquals(await readText(client, 1), "k");
      await client.shutdown(SHUT_WR);
      const rest = text(await server.rests.next());
      assertEquals(rest, first === "t" ? "" : "rest", first);
    }
  },
  async "gets what comes after the end of the handler"({ server, connect }) {
    for (const first of ["a", "t"]) {
      using client = await connect();
      await client.sendall(bytes(first));
      assertEquals(await readText(client, 1), "k");
      await client.sendall(bytes("later"));
      await client.sendall(bytes(" and later"));
      await client.shutdown(SHUT_WR);
      const rest = text(await server.rests.next());
      assertEquals(rest, "later and later", first);
    }
  },
  async "gets all of an upload that was under way"({ server, connect }) {
    const data = new Uint8Array(3_000_000).map((_, i) => (i * 7) ^ (i >> 8));
    for (const size of SIZES) {
      using client = await connect();
      const upload = data.subarray(0, size);
      const sent = client.sendall(bytes("a"))
        .then(() => client.sendall(upload));
      assertEquals(await readText(client, 1), "k");
      await sent;
      await client.shutdown(SHUT_WR);
      const rest = await server.rests.next();
      assertEquals(rest.length, upload.length);
      assertEquals(rest.findIndex((byte, at) => byte !== upload[at]), -1);
    }
  },
  async "finds a connection closed that the handler closed"({ connect }) {
    using client = await connect();
    await client.sendall(bytes("crest"));
    assertEquals(text(await recvToEnd(client).catch(() => bytes(""))), "");
  },
};

/** The bytes of uploads: some that the rings and the buffers hold whole, and some that they do not. */
const SIZES = [2, 100_002, 200_002, 300_002, 500_002, 900_002]
  .concat(3_000_000, 3_000_000);

/** Ends the server, and expects that no request has failed. */
class Quiet<S extends TCP | Unix> extends Running<S> {
  override async [Symbol.asyncDispose](): Promise<void> {
    await super[Symbol.asyncDispose]();
    assertEquals(this.reports.left, 0);
  }
}

for (const Handler of HANDLERS as RequestHandlerConstructor[]) {
  const options = { maxWorkers: 1 };
  stepsTest(
    `A server with ${Handler.name} over TCP`,
    () => new Quiet(new TCP(["127.0.0.1", 0], Handler, options)),
    STEPS,
  );
  if (!haveUnix) continue;
  stepsTest(
    `A server with ${Handler.name} over Unix sockets`,
    () => new Quiet(new Unix(newPath(), Handler, options)),
    STEPS,
  );
}
