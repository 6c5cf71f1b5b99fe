/** Servers with clients of CPython, ncat and socat, and clients with CPython's socketserver. */

import { StreamRequestHandler } from "../../handlers.ts";
import { TCPServer } from "../../server.ts";
import {
  type Address,
  AF_INET,
  AF_INET6,
  AF_UNIX,
  SOCK_DGRAM,
  SOCK_STREAM,
  Socket,
} from "../../socket.ts";
import { assertEquals, assertMatch } from "../deps.ts";
import { granted, have, havePython, unstableNet } from "../helpers/allowed.ts";
import { bytes, text } from "../helpers/bytes.ts";
import { ask, tell } from "../helpers/clients.ts";
import {
  type AnyServer,
  KINDS,
  LOOPBACK,
  serving,
} from "../helpers/servers.ts";
import { newPath } from "../helpers/sockets.ts";
import { boundedCommand, outputOf, within } from "../helpers/within.ts";

const python = havePython();
const testdata = (name: string) =>
  new URL(`../testdata/${name}`, import.meta.url).pathname;

const FAMILIES: Record<number, string> = {
  [AF_INET]: "AF_INET",
  [AF_INET6]: "AF_INET6",
  [AF_UNIX]: "AF_UNIX",
};

Deno.test({
  name: "each server answers CPython's clients",
  ignore: !python || !granted("read", "write"),
  async fn() {
    const kinds = KINDS.filter(({ ignore }) => !ignore);
    const servers: AnyServer[] = kinds.map(
      ({ Server, Echo, address, options }) =>
        new Server(address(), Echo, options),
    );
    const served = servers.map((server) => server.serveForever());
    const asked = servers.map((server) => [
      server.socketType === SOCK_STREAM ? "SOCK_STREAM" : "SOCK_DGRAM",
      FAMILIES[server.addressFamily],
      server.serverAddress,
    ]);
    try {
      const client = testdata("echo_client.py");
      const printed = await outputOf("python3", [
        client,
        JSON.stringify(asked),
      ]);
      const parallel = Array.from({ length: 10 }, (_, i) => `client ${i}\n`);
      JSON.parse(printed).forEach((found: unknown, i: number) => {
        assertEquals(found, { answers: true, parallel }, kinds[i].name);
        assertEquals(servers[i].status.accepted, 13, kinds[i].name);
      });
    } finally {
      for (const server of servers) await within(server.serverClose());
    }
    await within(Promise.all(served));
  },
});

/** Runs CPython's servers of these classes while `use` runs; returns their stderr. */
async function pythonServers(
  servers: [name: string, address: Address][],
  use: (addresses: Address[]) => Promise<void>,
): Promise<string> {
  await using child = boundedCommand("python3", {
    args: [testdata("echo_server.py"), JSON.stringify(servers)],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const stderr = new Response(child.stderr).text();
  const output = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  const { value } = await within(output.read());
  await within(use(JSON.parse(value!)));
  await child.stdin.close();
  await output.cancel();
  await within(child.status);
  return await stderr;
}

const SERVERS: [string, number, number, () => Address, boolean][] = [
  ["TCPServer", AF_INET, SOCK_STREAM, () => LOOPBACK, false],
  ["ThreadingTCPServer", AF_INET, SOCK_STREAM, () => LOOPBACK, false],
  ["UDPServer", AF_INET, SOCK_DGRAM, () => LOOPBACK, false],
  ["UnixStreamServer", AF_UNIX, SOCK_STREAM, newPath, false],
  ["UnixDatagramServer", AF_UNIX, SOCK_DGRAM, newPath, !unstableNet],
];

Deno.test({
  name: "a Socket talks with CPython's servers",
  ignore: !python || !granted("read", "write"),
  async fn() {
    const kinds = SERVERS.filter(([, , , , ignore]) => !ignore);
    const servers = kinds.map(([name, , , address]): [string, Address] => [
      name,
      address(),
    ]);
    await pythonServers(servers, async (addresses) => {
      for (const [i, [name, addressFamily, socketType]] of kinds.entries()) {
        const serverAddress = addresses[i];
        const server = { serverAddress, addressFamily, socketType };
        for (
          const question of ["hello\n", "Grüße\n", "x".repeat(5000) + "\n"]
        ) {
          assertEquals(await ask(server, question), question, name);
        }
      }
    });
  },
});

Deno.test({
  name:
    "BaseServer.handleError() prints the text of CPython's handle_error(), except the stack",
  ignore: !python || !granted("read", "write"),
  async fn() {
    const theirs = await pythonServers(
      [["TCPServer", LOOPBACK]],
      ([serverAddress]) => {
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
        const printed = await outputOf(
          program,
          args(host, `${port}`),
          "one\ntwo\n",
        );
        assertEquals(printed, "ONE\nTWO\n");
      });
    },
  });
}

Deno.test({
  name: "TCPServer answers a client that types like a user of telnet",
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
