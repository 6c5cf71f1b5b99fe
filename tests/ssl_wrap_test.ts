/** TLS on both ends of a connection: what a wrapped socket does, over each kind of socket. */

import { SHUT_WR, TimeoutError } from "../socket.ts";
import { SSLSocket } from "../ssl.ts";
import { assertEquals, assertInstanceOf } from "./deps.ts";
import { granted } from "./helpers/allowed.ts";
import { digest, recvToEnd } from "./helpers.ts";
import { errorOf, KINDS, tlsPair } from "./ssl_helpers.ts";

const encode = (text: string) => new TextEncoder().encode(text);
const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

for (const kind of KINDS) {
  const ignore = kind.endsWith("Unix") &&
    (Deno.build.os !== "linux" || !granted("read", "write"));

  Deno.test({
    name: `SSLSocket over ${kind} sends and receives in both directions`,
    ignore,
    async fn() {
      const [client, server] = await tlsPair({ kind });
      using _client = client;
      using _server = server;
      assertInstanceOf(server, SSLSocket);
      assertEquals(client.version(), "TLSv1.3");
      await client.sendall(encode("question"));
      assertEquals(decode(await server.recv(100)), "question");
      await server.sendall(encode("answer"));
      assertEquals(decode(await client.recv(3)), "ans");
      assertEquals(decode(await client.recv(100)), "wer");
    },
  });

  Deno.test({
    name: `SSLSocket over ${kind} loses nothing when calls time out`,
    ignore,
    async fn() {
      const [client, server] = await tlsPair({ kind });
      using _client = client;
      using _server = server;
      client.settimeout(0.01);
      for (let round = 0; round < 3; round++) {
        await errorOf(TimeoutError, client.recv(100));
      }
      await server.sendall(encode("late"));
      client.settimeout(20);
      assertEquals(decode(await client.recv(100)), "late");
    },
  });

  Deno.test({
    name: `SSLSocket over ${kind} reads on after it has ended its own side`,
    ignore,
    async fn() {
      const [client, server] = await tlsPair({ kind });
      using _client = client;
      using _server = server;
      await client.sendall(encode("all there is"));
      await client.shutdown(SHUT_WR);
      assertEquals(decode(await recvToEnd(server)), "all there is");
      const answer = crypto.getRandomValues(new Uint8Array(60_000));
      await server.sendall(answer);
      await server.shutdown(SHUT_WR);
      assertEquals(digest(await recvToEnd(client)), digest(answer));
    },
  });

  Deno.test({
    name: `SSLSocket over ${kind} has files that read and write`,
    ignore,
    async fn() {
      const [client, server] = await tlsPair({ kind });
      using _client = client;
      using _server = server;
      using reader = server.makefile("r");
      await using writer = client.makefile("w");
      await writer.write("first\nsecond\n");
      await writer.flush();
      assertEquals(await reader.readline(), "first\n");
      assertEquals(await reader.readline(), "second\n");
    },
  });
}
