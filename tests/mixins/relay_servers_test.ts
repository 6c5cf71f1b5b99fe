/** relay() in the handlers of all ways to run: on the event loop, in a worker, in a child. */

import { type AddressInfo, createServer } from "node:net";
import {
  type Address,
  AsyncTCPServer,
  createConnection,
  createServer as listenOn,
  ForkingTCPServer,
  SHUT_WR,
  type Socket,
  ThreadingTCPServer,
} from "../../mod.ts";
import { assertEquals } from "../deps.ts";
import { granted, mayFork, mayRead } from "../helpers/allowed.ts";
import { bytes, digest, text } from "../helpers/bytes.ts";
import { portOf, recvToEnd } from "../helpers/sockets.ts";
import { codeOf } from "../helpers/thrown.ts";
import { within as soon } from "../helpers/within.ts";
import { PortProxy } from "../testdata/relay_handlers.ts";

const quiet = { reportLostClients: false };

const WAYS = {
  AsyncTCPServer: [
    () => new AsyncTCPServer(["127.0.0.1", 0], PortProxy, quiet),
    true,
  ],
  ThreadingTCPServer: [
    () =>
      new ThreadingTCPServer(["127.0.0.1", 0], PortProxy, {
        ...quiet,
        maxWorkers: 1,
      }),
    mayRead,
  ],
  ForkingTCPServer: [
    () =>
      new ForkingTCPServer(["127.0.0.1", 0], PortProxy, {
        ...quiet,
        maxChildren: 1,
        childPermissions: { net: ["127.0.0.1"] },
      }),
    mayRead && mayFork,
  ],
} as const;

/** Connects to the proxy, and asks it for a port. */
async function dial(proxy: Address, port: number): Promise<Socket> {
  const client = await createConnection(proxy, { timeout: 60 });
  await client.sendall(Uint8Array.of(port >> 8, port & 255));
  return client;
}

for (const [name, [make, allowed]] of Object.entries(WAYS)) {
  Deno.test({
    name: `relay() works in a handler of ${name}`,
    ignore: !allowed || !granted("net"),
    async fn() {
      await using proxy = make();
      const serving = proxy.serveForever();
      using backend = listenOn(["127.0.0.1", 0]);
      using client = await dial(
        proxy.serverAddress,
        portOf(backend.getsockname()),
      );
      const [server] = await soon(backend.accept());
      using _server = server;
      const data = new Uint8Array(300000).map((_, index) => index % 251);
      const sending = client.sendall(data).then(() => client.shutdown(SHUT_WR));
      assertEquals(digest(await recvToEnd(server)), digest(data));
      await sending;
      await server.sendall(bytes("answer"));
      server.close();
      assertEquals(text(await recvToEnd(client)), "answer");

      const failing = createServer((socket) => {
        socket.on("error", () => {});
        socket.write(
          "part",
          () => socket.once("data", () => socket.resetAndDestroy()),
        );
      });
      await new Promise<void>((ready) => failing.listen(0, "127.0.0.1", ready));
      using victim = await dial(
        proxy.serverAddress,
        (failing.address() as AddressInfo).port,
      );
      assertEquals(text(await victim.recv(4)), "part");
      await victim.sendall(bytes("!"));
      const reset = Deno.build.os === "windows" ? undefined : "ECONNRESET";
      assertEquals(await codeOf(() => victim.recv(9)), reset);
      await new Promise((closed) => failing.close(closed));
      await proxy.shutdown();
      await serving;
    },
  });
}
