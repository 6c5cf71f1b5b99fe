/** `abort()` in a worker or a child drops at once what the server's process holds for the client. */

import {
  type Address,
  AsyncTCPServer,
  ForkingTCPServer,
  MSG_PEEK,
  OSError,
  type RequestHandlerConstructor,
  type Socket,
  type TCPServer,
  ThreadingTCPServer,
  ThreadingUnixStreamServer,
  type UnixStreamServer,
} from "../../mod.ts";
import { assert, assertEquals, deadline } from "../deps.ts";
import { haveUnix, mayFork, mayRead } from "../helpers/allowed.ts";
import { bytes } from "../helpers/bytes.ts";
import { dial } from "../helpers/clients.ts";
import { connectDenoTls, overDenoTls } from "../helpers/deno_tls.ts";
import { newPath } from "../helpers/sockets.ts";
import { Running } from "../helpers/threading.ts";
import { Aborts, BlockingAborts, SENT } from "../testdata/aborting_handlers.ts";

/** The milliseconds until an aborted request has ended: far less than the 30 s for bytes that were not aborted. */
const SOON_MS = 30_000;

const LOCAL: [string, number] = ["127.0.0.1", 0];

/** A server that has read of each connection, and so relays it to a child. */
class Peeking extends ForkingTCPServer {
  override async verifyRequest(request: Socket): Promise<boolean> {
    await request.recv(1, MSG_PEEK);
    return true;
  }
}

const Tls = overDenoTls(ThreadingTCPServer);

/** A server with a handler, and how to connect to it. */
type Case = [
  name: string,
  allowed: boolean,
  make: () => TCPServer | UnixStreamServer,
  connect?: (address: Address) => Promise<Socket>,
];

const Blocking = BlockingAborts as unknown as RequestHandlerConstructor;

/**
 * Each side of a relay, and each transport. A blocking handler runs over TCP only: in its worker all transports are
 * alike.
 */
const CASES: Case[] = [
  ["of the server", true, () => new AsyncTCPServer(LOCAL, Aborts)],
  ["of a worker", mayRead, () => new ThreadingTCPServer(LOCAL, Aborts)],
  [
    "that blocks a worker",
    mayRead,
    () => new ThreadingTCPServer(LOCAL, Blocking),
  ],
  [
    "of a worker over a Unix socket",
    mayRead && haveUnix,
    () => new ThreadingUnixStreamServer(newPath(), Aborts),
  ],
  [
    "of a worker over TLS",
    mayRead,
    () => new Tls(LOCAL, Aborts),
    connectDenoTls,
  ],
  ["of a child", mayFork, () => new ForkingTCPServer(LOCAL, Aborts)],
  ["of a child that is relayed", mayFork, () => new Peeking(LOCAL, Aborts)],
];

/** The count of bytes that come until the other side has gone. */
async function countRest(client: Socket): Promise<number> {
  let count = 0;
  try {
    for (let n = -1; n !== 0; count += Math.max(n, 0)) {
      n = (await client.recv(1_000_000)).length;
    }
  } catch (error) {
    if (!(error instanceof OSError)) throw error; // the connection is reset
  }
  return count;
}

for (const [name, allowed, make, connect = dial] of CASES) {
  Deno.test({
    name:
      `abort() in a handler ${name} ends the request of a client that does not read`,
    ignore: !allowed,
    async fn() {
      await using running = new Running(make());
      const { server } = running;
      for (const way of ["t", "s", "w", "f"]) {
        const ended = Promise.withResolvers<void>();
        server.closeRequest = (request) => {
          ended.resolve();
          return Object.getPrototypeOf(server).closeRequest
            .call(server, request);
        };
        using client = await connect(server.serverAddress);
        await client.sendall(bytes(way));
        await deadline(ended.promise, SOON_MS);
        const got = await deadline(countRest(client), SOON_MS);
        assert(got < SENT, `${way}: ${got} bytes came`);
      }
      const { forced } = await server.serverClose({ timeout: 5 });
      assertEquals(forced, 0);
      assertEquals(running.reports.left, 0);
    },
  });
}
