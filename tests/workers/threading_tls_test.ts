/** Connections over TLS, whose handlers run in workers. */

import {
  OSError,
  type RequestHandlerConstructor,
  SHUT_WR,
  ThreadingTCPServer,
} from "../../mod.ts";
import {
  assertEquals,
  assertInstanceOf,
  assertStringIncludes,
  deadline,
} from "../deps.ts";
import { granted } from "../helpers/allowed.ts";
import { bytes, digest, randomBytes, seeded, text } from "../helpers/bytes.ts";
import { readAll } from "../helpers/clients.ts";
import {
  CERTIFICATE,
  connectDenoTls,
  overDenoTls,
} from "../helpers/deno_tls.ts";
import { recvToEnd } from "../helpers/sockets.ts";
import { Running, workerTest } from "../helpers/threading.ts";
import { boundedCommand } from "../helpers/within.ts";
import { BlockingEcho } from "../testdata/blocking_handlers.ts";
import { Echo, Lines } from "../testdata/handlers.ts";

const TlsServer = overDenoTls(ThreadingTCPServer);

function startTls(Handler: unknown): Running<ThreadingTCPServer> {
  return new Running(
    new TlsServer(
      ["127.0.0.1", 0],
      Handler as RequestHandlerConstructor,
      { maxWorkers: 2 },
    ),
  );
}

for (const Handler of [Echo, BlockingEcho]) {
  workerTest(
    `ThreadingTCPServer serves ${Handler.name} over TLS`,
    async () => {
      await using running = startTls(Handler);
      const data = randomBytes(200_000, seeded(1));
      const one = async (): Promise<string> => {
        using client = await connectDenoTls(running.server.serverAddress);
        const received = recvToEnd(client);
        await client.sendall(data);
        await client.shutdown(SHUT_WR);
        return digest(await received);
      };
      const got = await Promise.all(Array.from({ length: 10 }, one));
      assertEquals(new Set(got), new Set([digest(data)]));
      assertEquals(running.reports.left, 0);
    },
  );
}

workerTest(
  "ThreadingTCPServer reports a client that does not speak TLS, and serves others",
  async () => {
    await using running = startTls(Lines);
    using plain = await running.connect();
    await plain.sendall(bytes("upper plain\n"));
    const { error, address } = await running.reports.next();
    assertInstanceOf(error, OSError);
    assertEquals(address, plain.getsockname());
    using client = await connectDenoTls(running.server.serverAddress);
    await client.sendall(bytes("upper encrypted\naddr\nquit\n"));
    const answer = await readAll(client);
    assertStringIncludes(answer, "ENCRYPTED");
    assertStringIncludes(answer, String(client.getsockname()[1]));
  },
);

Deno.test({
  name: "ThreadingTCPServer is met by openssl s_client",
  ignore: !granted("read", "run") || !await haveOpenssl(),
  async fn() {
    await using running = startTls(Lines);
    const [host, port] = running.server.serverAddress;
    // deno-fmt-ignore
    const args = ["s_client", "-connect", `${host}:${port}`, "-CAfile", CERTIFICATE.pathname,
      "-verify_return_error", "-verify_ip", "127.0.0.1", "-quiet", "-no_ign_eof"];
    const client = boundedCommand("openssl", {
      args,
      stdin: "piped",
      stdout: "piped",
      stderr: "null",
    }).spawn();
    const input = client.stdin.getWriter();
    await input.write(bytes("upper openssl\nquit\n"));
    const { stdout } = await deadline(client.output(), 60_000);
    await input.close().catch(() => {}); // it has ended
    assertEquals(text(stdout), "OPENSSL\n");
    assertEquals(running.reports.left, 0);
  },
});

async function haveOpenssl(): Promise<boolean> {
  try {
    const { success } = await boundedCommand("openssl", {
      args: ["version"],
      stdout: "null",
      stderr: "null",
    }).output();
    return success;
  } catch {
    return false;
  }
}
