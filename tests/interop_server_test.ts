/** Servers against clients of CPython, ncat and socat, and clients against CPython's socketserver. */

import { StreamRequestHandler } from "../handlers.ts";
import { TCPServer } from "../server.ts";
import {
  type Address,
  AF_INET,
  AF_INET6,
  AF_UNIX,
  SOCK_DGRAM,
  SOCK_STREAM,
  Socket,
} from "../socket.ts";
import { assertEquals, assertMatch } from "./deps.ts";
import {
  type AnyServer,
  ask,
  bytes,
  KINDS,
  LOOPBACK,
  newPath,
  serving,
  tell,
  text,
} from "./server_helpers.ts";
import { boundedCommand, within } from "./helpers/within.ts";
import { granted, have, havePython, unstableNet } from "./helpers/allowed.ts";

const python = havePython();
const testdata = (name: string) =>
  new URL(`testdata/${name}`, import.meta.url).pathname;

/** Runs a program, with `input` on its stdin, and returns what it prints. */
async function run(
  program: string,
  args: string[],
  input = "",
): Promise<string> {
  await using child = boundedCommand(program, {
    args,
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  const written = writer.write(bytes(input)).then(() => writer.close());
  const { stdout } = await within(child.output(), 30_000);
  await written;
  return text(stdout);
}

const FAMILIES: Record<number, string> = {
  [AF_INET]: "AF_INET",
  [AF_INET6]: "AF_INET6",
  [AF_UNIX]: "AF_UNIX",
};

for (const { name, Server, Echo, address, options, ignore } of KINDS) {
  Deno.test({
    name: `${name} answers a CPython client`,
    ignore: ignore || !python || !granted("read", "write"),
    async fn() {
      const server: AnyServer = new Server(address(), Echo, options);
      await serving(server, async ({ serverAddress }) => {
        const printed = await run("python3", [
          testdata("echo_client.py"),
          server.socketType === SOCK_STREAM ? "SOCK_STREAM" : "SOCK_DGRAM",
          FAMILIES[server.addressFamily],
          JSON.stringify(serverAddress),
        ]);
        const parallel = Array.from({ length: 10 }, (_, i) => `client ${i}\n`);
        assertEquals(JSON.parse(printed), { answers: true, parallel });
      });
      assertEquals(server.status.accepted, 13);
    },
  });
}

/** Runs CPython's server of a class while `use` runs; returns what it prints to stderr. */
async function pythonServer(
  name: string,
  address: Address,
  use: (serverAddress: Address) => Promise<void>,
): Promise<string> {
  await using child = boundedCommand("python3", {
    args: [testdata("echo_server.py"), name, JSON.stringify(address)],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const stderr = new Response(child.stderr).text();
  const output = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  const { value } = await within(output.read(), 30_000);
  await within(use(JSON.parse(value!)), 30_000);
  await child.stdin.close();
  await output.cancel();
  await within(child.status, 30_000);
  return await stderr;
}

const SERVERS: [string, number, number, () => Address, boolean][] = [
  ["TCPServer", AF_INET, SOCK_STREAM, () => LOOPBACK, false],
  ["ThreadingTCPServer", AF_INET, SOCK_STREAM, () => LOOPBACK, false],
  ["UDPServer", AF_INET, SOCK_DGRAM, () => LOOPBACK, false],
  ["UnixStreamServer", AF_UNIX, SOCK_STREAM, newPath, false],
  ["UnixDatagramServer", AF_UNIX, SOCK_DGRAM, newPath, !unstableNet],
];

for (const [name, addressFamily, socketType, address, ignore] of SERVERS) {
  Deno.test({
    name: `a Socket talks with CPython's ${name}`,
    ignore: ignore || !python || !granted("read", "write"),
    async fn() {
      await pythonServer(name, address(), async (serverAddress) => {
        const server = { serverAddress, addressFamily, socketType };
        for (
          const question of ["hello\n", "Grüße\n", "x".repeat(5000) + "\n"]
        ) {
          assertEquals(await ask(server, question), question);
        }
      });
    },
  });
}

Deno.test({
  name:
    "BaseServer.handleError() prints what CPython's handle_error() prints, but for the stack",
  ignore: !python || !granted("read", "write"),
  async fn() {
    const theirs = await pythonServer(
      "TCPServer",
      LOOPBACK,
      (serverAddress) => {
        const kind = { addressFamily: AF_INET, socketType: SOCK_STREAM };
        return tell({ serverAddress, ...kind }, "raise\n");
      },
    );
    class Raising extends StreamRequestHandler {
      override handle() {
        throw new Error("a bug");
      }
    }
    const output: string[] = [];
    const original = console.error;
    console.error = (line: string) => output.push(line);
    try {
      const server = new TCPServer(LOOPBACK, Raising);
      await serving(server, () => tell(server, "raise\n"));
    } finally {
      console.error = original;
    }
    const frame = (report: string) => {
      const lines = report.trimEnd().replaceAll(/, \d+\)/g, ", 0)").split("\n");
      return [lines[0], lines[1], lines.at(-1)];
    };
    assertEquals(frame(output.join("\n")), frame(theirs));
    assertMatch(theirs, /ValueError: a bug/);
  },
});

const tcp: [string, (host: string, port: string) => string[]][] = [
  ["ncat", (host, port) => [host, port]],
  ["socat", (host, port) => ["-t", "10", "-", `TCP:${host}:${port}`]],
];

for (const [program, args] of tcp) {
  Deno.test({
    name: `TCPServer answers ${program}`,
    ignore: !have(program),
    async fn() {
      class Upper extends StreamRequestHandler {
        override async handle() {
          for await (const line of this.rfile) {
            await this.wfile.write(text(line).toUpperCase());
          }
        }
      }
      await serving(new TCPServer(LOOPBACK, Upper), async (server) => {
        const [host, port] = server.serverAddress as [string, number];
        const printed = await run(program, args(host, `${port}`), "one\ntwo\n");
        assertEquals(printed, "ONE\nTWO\n");
      });
    },
  });
}

Deno.test({
  name: "TCPServer answers a client that types as in telnet",
  async fn() {
    await serving(new TCPServer(LOOPBACK, Greeter), async (server) => {
      using client = new Socket();
      client.settimeout(30);
      await client.connect(server.serverAddress);
      using reader = client.makefile("r", { newline: "" });
      assertEquals(await reader.readline(), "Who is there?\r\n");
      for (const key of "Ada\r\n") await client.sendall(bytes(key));
      assertEquals(await reader.readline(), "Hello, Ada!\r\n");
    });
  },
});

class Greeter extends StreamRequestHandler {
  override disableNagleAlgorithm = true;
  override async handle() {
    await this.wfile.write("Who is there?\r\n");
    const name = text(await this.rfile.readline()).trimEnd();
    await this.wfile.write(`Hello, ${name}!\r\n`);
  }
}
