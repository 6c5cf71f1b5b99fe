/** Clients of a TLS server that stall, leave or speak something else: they cost themselves only. */

import { ForkingTCPServer, ThreadingTCPServer } from "../mixins.ts";
import { AsyncTCPServer, type RequestHandlerConstructor } from "../mod.ts";
import { StreamRequestHandler } from "../handlers.ts";
import { TCPServer } from "../server.ts";
import { type InetAddress, OSError, SHUT_WR, Socket } from "../socket.ts";
import { assertEquals, assertRejects } from "./deps.ts";
import { granted } from "./helpers/allowed.ts";
import { within } from "./helpers/within.ts";
import { FakeStream } from "./helpers.ts";
import {
  type AnyServer,
  type AnyServerClass,
  bytes,
  LOOPBACK,
  serving,
  Stderr,
  text,
  until,
} from "./server_helpers.ts";
import { Patient } from "./testdata/patient_handlers.ts";

const mayRun = granted("read", "run", "env");
const [cert, key] = granted("read")
  ? ["crt", "key"].map((ending) =>
    Deno.readTextFileSync(
      new URL(`testdata/localhost.${ending}`, import.meta.url),
    )
  )
  : ["", ""];

/** The ways to run. */
const WAYS = [
  TCPServer,
  AsyncTCPServer,
  ThreadingTCPServer,
  ForkingTCPServer,
] as unknown as AnyServerClass[];

const ignore = ({ name }: { name: string }) =>
  !granted("read") || /^(Thread|Fork)/.test(name) && !mayRun;

/** A server over `Deno.listenTls`, as docs/guide.md shows it. */
function makeTls(
  Server: AnyServerClass,
  options: Record<string, unknown>,
): AnyServer & { codes: unknown[] } {
  class Tls extends (Server as unknown as typeof TCPServer) {
    codes: unknown[] = [];
    override serverBind(): void {
      const [hostname, port] = this.serverAddress as [string, number];
      this.socket = Socket.from(Deno.listenTls({ hostname, port, cert, key }));
      this.serverAddress = this.socket.getsockname();
    }
    override serverActivate(): void {}
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
  const [hostname, port] = server.serverAddress as [string, number];
  const socket = Socket.from(
    await Deno.connectTls({ hostname, port, caCerts: [cert] }),
  );
  socket.settimeout(30);
  return socket;
}

async function askTls(server: AnyServer, line: string): Promise<string> {
  using client = await connectTls(server);
  await client.sendall(bytes(line));
  return text(await client.recv(100));
}

for (const Server of WAYS) {
  Deno.test({
    name: `${Server.name} frees the places of TLS clients that say nothing`,
    ignore: ignore(Server),
    async fn() {
      using _stderr = new Stderr();
      const server = makeTls(Server, { maxConnections: 2 });
      await serving(server, async () => {
        const silent = await Promise.all([1, 2, 3].map(async () => {
          const [hostname, port] = server.serverAddress as [string, number];
          return await Deno.connect({ hostname, port });
        }));
        assertEquals(await within(askTls(server, "hello\n")), "hello\n");
        for (const conn of silent) conn.close();
      });
      assertEquals(server.codes[0], "ETIMEDOUT"); // the last may have left before its time
    },
  });

  Deno.test({
    name:
      `${Server.name} reports a handshake that fails as a lost client, or not at all`,
    ignore: ignore(Server),
    async fn() {
      using stderr = new Stderr();
      const server = makeTls(Server, { reportLostClients: false });
      await serving(server, async () => {
        const [hostname, port] = server.serverAddress as [string, number];
        const scan = await Deno.connect({ hostname, port });
        scan.close();
        await until(() => server.codes.length === 1);
        using plain = await Deno.connect({ hostname, port });
        await plain.write(bytes("GET / HTTP/1.0\r\n\r\n"));
        await until(() => server.codes.length === 2);
        await Deno.connectTls({ hostname, port }).then(async (conn) => {
          await conn.handshake().catch(() => {}); // it does not trust the server
          conn.close();
        });
        await until(() => server.codes.length === 3);
        assertEquals(await askTls(server, "hello\n"), "hello\n");
      });
      assertEquals(server.codes, ["ECONNRESET", "EPROTO", "EPROTO"]);
      assertEquals(stderr.texts, []);
    },
  });

  Deno.test({
    name:
      `${Server.name} takes an end with no close_notify for the end of the stream`,
    ignore: ignore(Server) || !mayRun,
    async fn() {
      const server = makeTls(Server, {});
      await serving(server, async () => {
        const client = `
import socket, ssl, sys
context = ssl.create_default_context()
context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
address = ("127.0.0.1", ${server.serverAddress[1]})
tls = context.wrap_socket(socket.create_connection(address, 30))
tls.sendall(b"no end of line")
socket.socket.shutdown(tls, socket.SHUT_WR)
sys.stdout.write(tls.recv(100).decode())
`;
        const python = new Deno.Command("python3", { args: ["-c", client] });
        const { stdout } = await within(python.output(), 30_000);
        assertEquals(text(stdout), "no end of line");
      });
      assertEquals(server.codes, []);
    },
  });
}

Deno.test("Socket.shutdown() is bounded by the timeout where the transport waits", async () => {
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
