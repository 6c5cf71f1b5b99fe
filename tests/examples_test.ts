import { scryptSync } from "node:crypto";
import { assertEquals, assertMatch, assertStringIncludes } from "./deps.ts";
import {
  complaint,
  deno,
  mayRun,
  root,
  type Running,
  start,
  talk,
} from "./example_helpers.ts";
import { have } from "./helpers/allowed.ts";
import { haveIPv6 } from "./server_helpers.ts";

/** Starts the echo server and waits until it listens. */
function startEcho(...args: string[]): Promise<Running> {
  return start("examples/echo.ts", ...args);
}

const PYTHON_CLIENT = `
import socket, sys
with socket.create_connection(("localhost", int(sys.argv[1])), timeout=10) as s:
    s.sendall(b"hello from python")
    s.shutdown(socket.SHUT_WR)
    print(b"".join(iter(lambda: s.recv(1024), b"")).decode())
`;

Deno.test({
  name: "examples/echo.ts answers a CPython client",
  ignore: !mayRun || !have("python3"),
  async fn() {
    await using server = await startEcho("localhost", "0");
    assertEquals(
      await talk("python3", ["-c", PYTHON_CLIENT, server.port], ""),
      "HELLO FROM PYTHON\n",
    );
  },
});

Deno.test({
  name: "examples/echo.ts answers ncat, and lines that end as telnet's do",
  ignore: !mayRun || !have("ncat"),
  async fn() {
    await using server = await startEcho("localhost", "0");
    assertEquals(
      await talk("ncat", ["localhost", server.port], "a line\r\nanother\r\n"),
      "A LINE\r\nANOTHER\r\n",
    );
  },
});

Deno.test({
  name: "examples/echo.ts answers socat",
  ignore: !mayRun || !have("socat"),
  async fn() {
    await using server = await startEcho("127.0.0.1", "0");
    const said = await talk("socat", [
      "-t",
      "10",
      "-",
      `TCP4:127.0.0.1:${server.port}`,
    ], "through socat\n");
    assertEquals(said, "THROUGH SOCAT\n");
  },
});

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  Deno.test({
    name:
      `examples/echo.ts ends with exit code 0 on ${signal}, a client still connected`,
    ignore: !mayRun,
    async fn() {
      await using server = await startEcho("localhost", "0");
      using client = await Deno.connect({ port: Number(server.port) });
      await client.write(new Uint8Array([97]));
      await client.read(new Uint8Array(1));
      assertEquals(await server.end(signal), 0);
    },
  });
}

Deno.test({
  name: "examples/echo_client.ts prints what it sent and what it received",
  ignore: !mayRun,
  async fn() {
    await using server = await startEcho("localhost", "0");
    const { code, stdout } = await deno(
      "examples/echo_client.ts",
      `--port=${server.port}`,
      "hello",
      "world",
    ).output();
    assertEquals(
      new TextDecoder().decode(stdout),
      "Sent:     hello world\nReceived: HELLO WORLD\n",
    );
    assertEquals(code, 0);
  },
});

Deno.test({
  name: "examples/echo.ts says in one line what is wrong with its address",
  ignore: !mayRun,
  async fn() {
    await using server = await startEcho("localhost", "0");
    assertStringIncludes(
      await complaint("examples/echo.ts", "localhost", server.port),
      "Address already in use",
    );
    assertStringIncludes(
      await complaint("examples/echo.ts", "localhost", "70000"),
      "70000",
    );
    assertStringIncludes(
      await complaint("examples/echo.ts", "localhost", "http"),
      "port",
    );
    assertStringIncludes(
      await complaint("examples/echo.ts", "no.such.host.invalid"),
      "no.such.host.invalid",
    );
  },
});

Deno.test({
  name: "examples/echo_client.ts says in one line that nobody listens",
  ignore: !mayRun,
  async fn() {
    const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const { port } = listener.addr as Deno.NetAddr;
    listener.close();
    assertStringIncludes(
      await complaint(
        "examples/echo_client.ts",
        "--host=127.0.0.1",
        `--port=${port}`,
        "hello",
      ),
      "Connection refused",
    );
  },
});

const HASHED = new RegExp(
  `^${
    scryptSync("hello from python", "salt", 32, { N: 1 << 14 })
      .toString("hex")
  }\n\n$`,
);

const COUNTED =
  /^3 words, counted by process \d+\nNotCapable: Requires read access to "\/etc\/passwd"[^\n]*\n\n$/;

/** What each example of a way to run answers the CPython client, as a pattern. */
const WAYS: [script: string, answer: RegExp, ...args: string[]][] = [
  ["examples/blocking_echo.ts", /^HELLO FROM PYTHON\n$/],
  ["examples/threaded_hash.ts", HASHED],
  ["examples/threaded_hash.ts", HASHED, "localhost", "workers"],
  ["examples/forking_sandbox.ts", COUNTED],
  ["examples/forking_sandbox.ts", COUNTED, "localhost", "children"],
];

for (const [script, answer, ...args] of WAYS) {
  Deno.test({
    name: `${
      [script, ...args].join(" ")
    } answers a CPython client with its documented permissions, and ends on SIGINT`,
    ignore: !mayRun || !have("python3"),
    async fn() {
      await using server = await start(script, "0", ...args);
      const said = await talk(
        "python3",
        ["-c", PYTHON_CLIENT, server.port],
        "",
      );
      assertMatch(said, answer);
      assertEquals(await server.end("SIGINT"), 0);
    },
  });
}

/** Each server, with its arguments before the port. */
const SERVERS: [script: string, args: string[]][] = [
  ...[
    "echo",
    "chargen",
    "chat",
    "daytime",
    "discard",
    "dns",
    "http",
    "redis",
    "socks5",
    "tcp_proxy",
  ]
    .map((name): [string, string[]] => [`examples/${name}.ts`, ["::1", "0"]]),
  ...["blocking_echo", "threaded_hash", "forking_sandbox"]
    .map((name): [string, string[]] => [`examples/${name}.ts`, ["0", "::1"]]),
  ["examples/metrics.ts", ["::1", "0", "0"]],
];

Deno.test({
  name: "every example of a server takes ::1 as its host",
  ignore: !mayRun || !haveIPv6,
  async fn() {
    const directory = await Deno.makeTempDir();
    await using _removed = {
      [Symbol.asyncDispose]: () => Deno.remove(directory, { recursive: true }),
    };
    const [cert, key] = ["crt", "key"].map((ending) =>
      new URL(`testdata/localhost.${ending}`, import.meta.url).pathname
    );
    const secure: typeof SERVERS = [
      ["examples/smtp.ts", ["::1", "0", directory]],
      ["examples/https.ts", ["::1", "0", directory, cert, key]],
      ["examples/client_certificate.ts", ["::1", "0", cert, key, cert]],
    ];
    const examples = [...Deno.readDirSync(new URL("examples", root))]
      .filter(({ name }) =>
        name.endsWith(".ts") &&
        /\bserve\(/.test(
          Deno.readTextFileSync(new URL(`examples/${name}`, root)),
        )
      );
    assertEquals(
      examples.map(({ name }) => `examples/${name}`).sort(),
      [...SERVERS, ...secure].map(([script]) => script).sort(),
    );
    for (const [script, args] of [...SERVERS, ...secure]) {
      await using server = await start(script, ...args);
      using client = await Deno.connect({
        hostname: "::1",
        port: Number(server.port),
      });
      assertEquals((client.remoteAddr as Deno.NetAddr).hostname, "::1", script);
    }
  },
});

Deno.test({
  name: "examples/echo.ts and echo_client.ts talk over IPv6",
  ignore: !mayRun || !haveIPv6,
  async fn() {
    await using server = await startEcho("::1", "0");
    const client = deno(
      "examples/echo_client.ts",
      "--host=::1",
      `--port=${server.port}`,
      "six",
    );
    const { stdout } = await client.output();
    assertStringIncludes(new TextDecoder().decode(stdout), "Received: SIX\n");
  },
});
