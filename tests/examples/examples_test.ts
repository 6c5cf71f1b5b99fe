import { scryptSync } from "node:crypto";
import { assertEquals, assertMatch, assertStringIncludes } from "../deps.ts";
import {
  complaint,
  deno,
  mayRun,
  onOneServer,
  readUntil,
  root,
  type Running,
  start,
  talk,
} from "./example_helpers.ts";
import { freePort } from "../project/docs_programs.ts";
import { have, haveIPv6 } from "../helpers/allowed.ts";
import { boundedCommand } from "../helpers/within.ts";

/** Starts the echo server and waits until it listens. */
function startEcho(...args: string[]): Promise<Running> {
  return start("examples/echo.ts", ...args);
}

const PYTHON_CLIENT = `
import socket, sys
host = sys.argv[2] if len(sys.argv) > 2 else "localhost"
with socket.create_connection((host, int(sys.argv[1])), timeout=30) as s:
    s.sendall(b"hello from python")
    s.shutdown(socket.SHUT_WR)
    print(b"".join(iter(lambda: s.recv(1024), b"")).decode())
`;

const echo = onOneServer<[Running]>(
  "examples/echo.ts serves its clients",
  async (tests) => {
    await using server = await startEcho("localhost", "0");
    await tests(server);
  },
);

echo("answers a CPython client", async ({ port }) => {
  const said = await talk("python3", ["-c", PYTHON_CLIENT, port], "");
  assertEquals(said, "HELLO FROM PYTHON\n");
}, !have("python3"));

echo("answers ncat, and lines that end as telnet's do", async ({ port }) => {
  assertEquals(
    await talk("ncat", ["localhost", port], "a line\r\nanother\r\n"),
    "A LINE\r\nANOTHER\r\n",
  );
}, !have("ncat"));

echo("answers socat", async ({ port }) => {
  const target = `TCP:localhost:${port}`;
  const said = await talk("socat", ["-t", "10", "-", target], "socat\n");
  assertEquals(said, "SOCAT\n");
}, !have("socat"));

echo(
  "answers echo_client.ts, which prints what it sent and received",
  async ({ port }) => {
    const args = [`--port=${port}`, "hello", "world"];
    const { code, stdout } = await deno("examples/echo_client.ts", ...args)
      .output();
    assertEquals(
      new TextDecoder().decode(stdout),
      "Sent:     hello world\nReceived: HELLO WORLD\n",
    );
    assertEquals(code, 0);
  },
);

/** The arguments of a second server, whose port "0" is replaced by that of the first, and its complaint. */
const WRONG: [args: string[], said: string][] = [
  [["localhost", "0"], "Address already in use"],
  [["localhost", "70000"], "70000"],
  [["localhost", "http"], "port"],
  [["no.such.host.invalid"], "no.such.host.invalid"],
];

echo("says in one line what is wrong with its address", async ({ port }) => {
  await Promise.all(WRONG.map(async ([[host, given], said]) => {
    const args = given === undefined ? [] : [given === "0" ? port : given];
    const text = await complaint("examples/echo.ts", host, ...args);
    assertStringIncludes(text, said);
  }));
});

/** Ends a server that has a client. */
async function endWithClient(server: Running, signal: Deno.Signal) {
  using client = await Deno.connect({
    hostname: "localhost",
    port: Number(server.port),
  });
  await client.write(new Uint8Array([97]));
  await client.read(new Uint8Array(1));
  assertEquals(await server.end(signal), 0);
}

echo(
  "ends with exit code 0 on SIGINT, a client still connected",
  (server) => endWithClient(server, "SIGINT"),
);

Deno.test({
  name:
    "examples/echo.ts ends with exit code 0 on SIGTERM, a client still connected",
  ignore: !mayRun,
  async fn() {
    await using server = await startEcho("localhost", "0");
    await endWithClient(server, "SIGTERM");
  },
});

Deno.test({
  name: "examples/echo_client.ts exits with one line if nobody listens",
  ignore: !mayRun,
  async fn() {
    const args = ["--host=127.0.0.1", `--port=${freePort()}`, "hello"];
    assertStringIncludes(
      await complaint("examples/echo_client.ts", ...args),
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

/** The pattern of the answer of each example to CPython's client. */
const WAYS: [script: string, answer: RegExp, ...args: string[]][] = [
  ["examples/blocking_echo.ts", /^HELLO FROM PYTHON\n$/],
  ["examples/threaded_hash.ts", HASHED],
  ["examples/threaded_hash.ts", HASHED, "::1", "workers"],
  ["examples/forking_sandbox.ts", COUNTED],
  ["examples/forking_sandbox.ts", COUNTED, "::1", "children"],
];

for (const [script, answer, ...args] of WAYS) {
  const [host = "localhost"] = args;
  Deno.test({
    name: `${
      [script, ...args].join(" ")
    } answers a CPython client with its documented permissions, and ends on SIGINT`,
    ignore: !mayRun || !have("python3") || host === "::1" && !haveIPv6,
    async fn() {
      await using server = await start(script, "0", ...args);
      const client = ["-c", PYTHON_CLIENT, server.port, host];
      assertMatch(await talk("python3", client, ""), answer);
      assertEquals(await server.end("SIGINT"), 0);
    },
  });
}

/** The servers that other tests start over IPv6. */
const IPV6_ELSEWHERE = ["threaded_hash", "forking_sandbox"];

/** The others, with their arguments, in a directory, with a certificate and its key. */
const SERVERS = (
  directory: string,
  cert: string,
  key: string,
): Record<string, string[]> => ({
  ...Object.fromEntries(
    // deno-fmt-ignore
    ["echo", "chargen", "chat", "daytime", "discard", "dns", "http", "redis", "socks5", "tcp_proxy"]
      .map((name) => [name, ["::1", "0"]]),
  ),
  blocking_echo: ["0", "::1"],
  metrics: ["::1", "0", "0"],
  smtp: ["::1", "0", directory],
  https: ["::1", "0", directory, cert, key],
  client_certificate: ["::1", "0", cert, key, cert],
});

Deno.test({
  name: "every example of a server takes ::1 as its host",
  ignore: !mayRun || !haveIPv6,
  async fn() {
    const directory = await Deno.makeTempDir();
    await using _removed = {
      [Symbol.asyncDispose]: () => Deno.remove(directory, { recursive: true }),
    };
    const [cert, key] = ["crt", "key"].map((ending) =>
      new URL(`../testdata/localhost.${ending}`, import.meta.url).pathname
    );
    const servers = SERVERS(directory, cert, key);
    const examples = Deno.readDirSync(new URL("examples", root)).map(
      ({ name }) => name,
    ).filter((name) =>
      name.endsWith(".ts") && /\bserve\(/.test(
        Deno.readTextFileSync(new URL(`examples/${name}`, root)),
      )
    ).map((name) => name.replace(".ts", "")).toArray();
    assertEquals(
      examples.sort(),
      [...Object.keys(servers), ...IPV6_ELSEWHERE].sort(),
    );
    const { blocking_echo, ...others } = servers;
    await using blocking = await start(
      "examples/blocking_echo.ts",
      ...blocking_echo,
    );
    await using together = await startTogether(others);
    assertEquals(together.ports.size, Object.keys(others).length);
    const ports = new Map([...together.ports, [
      "blocking_echo",
      blocking.port,
    ]]);
    for (const [name, port] of ports) {
      using client = await Deno.connect({
        hostname: "::1",
        port: Number(port),
      });
      assertEquals((client.remoteAddr as Deno.NetAddr).hostname, "::1", name);
    }
    const args = ["--host=::1", `--port=${ports.get("echo")}`, "six"];
    const { stdout } = await deno("examples/echo_client.ts", ...args).output();
    assertStringIncludes(new TextDecoder().decode(stdout), "Received: SIX\n");
  },
});

/** Starts examples in one process, and waits until they listen. Returns their ports by their names. */
async function startTogether(examples: Record<string, string[]>) {
  const scripts = Object.entries(examples)
    .map(([name, args]) => [`examples/${name}.ts`, args]);
  const program = new URL("../testdata/examples_together.ts", import.meta.url);
  const child = boundedCommand(Deno.execPath(), {
    args: ["run", "-A", program.pathname, JSON.stringify(scripts)],
    cwd: root,
    stdout: "piped",
    env: { NO_COLOR: "1" },
  }).spawn();
  const [said] = await readUntil(child.stdout, /[^]*\nall listen\n/);
  const lines = said.matchAll(/^examples\/(\w+)\.ts Listening .*:(\d+)\b/gm);
  return {
    ports: new Map(Array.from(lines, ([, name, port]) => [name, port])),
    async [Symbol.asyncDispose]() {
      child.kill("SIGTERM");
      const [{ code }] = await Promise.all([
        child.status,
        child.stdout.cancel(),
      ]);
      assertEquals(code, 0);
    },
  };
}
