/** Clients of a TLS server that stall, leave or speak something else: they cost themselves only. */

import { ForkingTCPServer, ThreadingTCPServer } from "../../mixins.ts";
import { AsyncTCPServer, type RequestHandlerConstructor } from "../../mod.ts";
import { StreamRequestHandler } from "../../handlers.ts";
import { TCPServer } from "../../server.ts";
import { type InetAddress, OSError, SHUT_WR, Socket } from "../../socket.ts";
import { assertEquals, assertRejects } from "../deps.ts";
import { granted } from "../helpers/allowed.ts";
import { bytes, text } from "../helpers/bytes.ts";
import { connectDenoTls, overDenoTls } from "../helpers/deno_tls.ts";
import { FakeStream } from "../helpers/fakes.ts";
import { Stderr } from "../helpers/reports.ts";
import {
  type AnyServer,
  type AnyServerClass,
  LOOPBACK,
} from "../helpers/servers.ts";
import { boundedCommand, until, within } from "../helpers/within.ts";
import { Patient } from "../testdata/patient_handlers.ts";

const mayRun = granted("read", "run", "env");

/** The ways to run. */
const WAYS = [
  TCPServer,
  AsyncTCPServer,
  ThreadingTCPServer,
  ForkingTCPServer,
] as unknown as AnyServerClass[];

const ignore = ({ name }: { name: string }) =>
  !granted("read") || /^(Thread|Fork)/.test(name) && !mayRun;

/** Returns a server over TLS that collects the codes of its errors. */
function makeTls(
  Server: AnyServerClass,
  options: Record<string, unknown>,
): AnyServer & { codes: unknown[] } {
  class Tls extends overDenoTls(Server as unknown as typeof TCPServer) {
    codes: unknown[] = [];
    override handleError(request: Socket, from: InetAddress, error: unknown) {
      this.codes.push((error as OSError).code);
      return super.handleError(request, from, error);
    }
  }
  return new Tls(
    LOOPBACK,
    Patient as unknown as RequestHandlerConstructor,
    options,
  ) as unknown as AnyServer & { codes: unknown[] };
}

async function connectTls(server: AnyServer): Promise<Socket> {
  const socket = await connectDenoTls(server.serverAddress);
  socket.settimeout(30);
  return socket;
}

async function askTls(server: AnyServer, line: string): Promise<string> {
  using client = await connectTls(server);
  await client.sendall(bytes(line));
  return text(await client.recv(100));
}

/** A client of CPython that ends its side of each connection without a close_notify, and prints the answers. */
const RUDE = `
import socket, ssl, sys
context = ssl.create_default_context()
context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
for port in sys.argv[1:]:
    tls = context.wrap_socket(socket.create_connection(("127.0.0.1", int(port)), 30))
    tls.sendall(b"no end of line")
    socket.socket.shutdown(tls, socket.SHUT_WR)
    print(tls.recv(100).decode())
`;

Deno.test({
  name:
    "TLS clients that stall, leave or speak something else cost themselves only, in each way to run",
  ignore: !granted("read"),
  async fn(t) {
    using stderr = new Stderr();
    const options = { maxConnections: 2, reportLostClients: false };
    const servers = WAYS.filter((Server) => !ignore(Server))
      .map((Server) => makeTls(Server, options));
    const served = servers.map((server) => server.serveForever());
    try {
      await t.step(
        "the places of clients that say nothing are freed",
        async () => {
          await Promise.all(servers.map(freePlaces));
        },
      );
      for (const server of servers) {
        const { name } = Object.getPrototypeOf(server.constructor);
        await t.step(
          `${name} reports a handshake that fails as a lost client`,
          () => failHandshakes(server),
        );
      }
      await t.step({
        name: "an end with no close_notify is the end of the stream",
        ignore: !mayRun,
        async fn() {
          const ports = servers.map(({ serverAddress }) => serverAddress[1]);
          const { stdout } = await within(
            boundedCommand("python3", {
              args: ["-c", RUDE, ...ports.map(String)],
            }).output(),
          );
          const answers = servers.map(() => "no end of line\n").join("");
          assertEquals(text(stdout), answers);
          for (const { codes } of servers) assertEquals(codes, []);
        },
      });
    } finally {
      for (const server of servers) await within(server.serverClose());
    }
    await within(Promise.all(served));
    assertEquals(stderr.texts, []);
  },
});

type CodesServer = ReturnType<typeof makeTls>;

/** Two clients take all places, and a third waits for one; the fourth is answered though they say nothing. */
async function freePlaces(server: CodesServer): Promise<void> {
  const [hostname, port] = server.serverAddress as [string, number];
  const silent = await Promise.all(
    [1, 2, 3].map(() => Deno.connect({ hostname, port })),
  );
  assertEquals(await within(askTls(server, "hello\n")), "hello\n");
  for (const conn of silent) conn.close();
  await until(() => server.status.accepted === 4 && server.status.active === 0);
  assertEquals(server.codes[0], "ETIMEDOUT"); // the last may have left before its time
  server.codes.length = 0;
}

/** A client leaves, the next speaks HTTP, the third does not trust the server; the fourth is answered. */
async function failHandshakes(server: CodesServer): Promise<void> {
  const [hostname, port] = server.serverAddress as [string, number];
  const scan = await Deno.connect({ hostname, port });
  scan.close();
  await until(() => server.codes.length === 1);
  using plain = await Deno.connect({ hostname, port });
  await plain.write(bytes("GET / HTTP/1.0\r\n\r\n"));
  await until(() => server.codes.length === 2);
  const distrusting = await Deno.connectTls({ hostname, port });
  await distrusting.handshake().catch(() => {});
  distrusting.close();
  await until(() => server.codes.length === 3);
  assertEquals(await askTls(server, "hello\n"), "hello\n");
  assertEquals(server.codes, ["ECONNRESET", "EPROTO", "EPROTO"]);
  server.codes.length = 0;
}

Deno.test("Socket.shutdown() is bounded by the timeout if the transport waits", async () => {
  class Stalling extends FakeStream {
    override closeWrite(): Promise<void> {
      this.calls.push("closeWrite");
      return new Promise(() => {});
    }
  }
  using socket = Socket.from(new Stalling());
  for (const [seconds, code] of [[0.01, "ETIMEDOUT"], [0, "EAGAIN"]] as const) {
    socket.settimeout(seconds);
    const shutdown = () => within(socket.shutdown(SHUT_WR));
    assertEquals((await assertRejects(shutdown, OSError)).code, code);
  }
});

Deno.test("TCPServer.shutdownRequest() is bounded though the socket has no limit", async () => {
  let closed = 0;
  class Stalling extends FakeStream {
    override closeWrite(): Promise<void> {
      return new Promise(() => {});
    }
    override close(): void {
      closed++;
      super.close();
    }
  }
  class Never extends StreamRequestHandler {}
  await using server = new TCPServer(LOOPBACK, Never);
  await within(server.shutdownRequest(Socket.from(new Stalling())));
  assertEquals(closed, 1);
});

Deno.test("TCPServer.shutdownRequest() calls an overridden shutdown()", async () => {
  const calls: number[] = [];
  const socket = Socket.from(new FakeStream());
  socket.shutdown = (how) => {
    calls.push(how);
    return Promise.resolve();
  };
  await using server = new TCPServer(LOOPBACK, StreamRequestHandler);
  await server.shutdownRequest(socket);
  assertEquals(calls, [SHUT_WR]);
});
