/** Connections over TLS, whose descriptors cannot be passed: the bytes go to the children instead. */

import { SHUT_WR, Socket } from "../mod.ts";
import { assertEquals } from "./deps.ts";
import { serving, TCP } from "./forking_helpers.ts";
import { digest, randomBytes, recvToEnd } from "./helpers.ts";
import { seeded } from "./stream_fakes.ts";
import { Echo } from "./testdata/handlers.ts";
import { mayFork } from "./helpers/allowed.ts";

const read = (name: string): string =>
  Deno.readTextFileSync(new URL(`./testdata/${name}`, import.meta.url));

Deno.test({
  name: "ForkingTCPServer serves clients over TLS",
  ignore: !mayFork,
  async fn() {
    const [cert, key] = [read("localhost.crt"), read("localhost.key")];
    /** A server whose socket stands on a listener for TLS. */
    class TlsServer extends TCP {
      override serverBind(): void {
        const [hostname, port] = this.serverAddress as [string, number];
        const listener = Deno.listenTls({ hostname, port, cert, key });
        this.socket = Socket.from(listener);
        this.serverAddress = this.socket.getsockname();
      }

      override serverActivate(): void {} // it listens
    }
    const data = randomBytes(200_000, seeded(1));
    const server = new TlsServer(["127.0.0.1", 0], Echo, { maxChildren: 2 });
    await using _serving = serving(server);
    const [hostname, port] = server.serverAddress as [string, number];
    const one = async (): Promise<string> => {
      const options = { hostname, port, caCerts: [cert] };
      using client = Socket.from(await Deno.connectTls(options));
      const received = recvToEnd(client);
      await client.sendall(data);
      await client.shutdown(SHUT_WR);
      return digest(await received);
    };
    const got = await Promise.all(Array.from({ length: 6 }, one));
    assertEquals(new Set(got), new Set([digest(data)]));
    assertEquals(server.reports.left, 0);
  },
});
