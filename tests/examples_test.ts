import { scryptSync } from "node:crypto";
import { assertEquals, assertMatch, assertStringIncludes } from "./deps.ts";
import { have } from "./python.ts";

const root = new URL("..", import.meta.url);
const mayRun = ["run", "read"].every((name) =>
  Deno.permissions.querySync({ name: name as "run" | "read" }).state ===
    "granted"
);

/** The flags of the command that the header of an example says. */
function documentedFlags(script: string): string[] {
  const text = Deno.readTextFileSync(new URL(script, root));
  const command = new RegExp(`deno run (.*) ${script}`).exec(text);
  return command![1].split(" ");
}

function deno(script: string, ...args: string[]): Deno.Command {
  const flags = documentedFlags(script);
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", ...flags, script, ...args],
    cwd: root,
    stdout: "piped",
    stderr: "piped",
    env: { NO_COLOR: "1" },
  });
}

/** Reads a stream until it has said something that matches. */
async function readUntil(
  stream: ReadableStream<Uint8Array>,
  pattern: RegExp,
): Promise<RegExpExecArray> {
  let text = "";
  for await (const chunk of stream.values({ preventCancel: true })) {
    text += new TextDecoder().decode(chunk);
    const match = pattern.exec(text);
    if (match !== null) return match;
  }
  throw new Error(`the program ended; it said ${JSON.stringify(text)}`);
}

interface Running extends AsyncDisposable {
  readonly port: string;
  /** Sends a signal, and resolves to the exit code. */
  end(signal: Deno.Signal): Promise<number>;
}

/** Starts the echo server and waits until it listens. */
function startEcho(...args: string[]): Promise<Running> {
  return start("examples/echo.ts", ...args);
}

/** Starts an example, with the permissions that it documents, and waits until it listens. */
async function start(script: string, ...args: string[]): Promise<Running> {
  const child = deno(script, ...args).spawn();
  const listening = /Listening on (?:[\d.]+:|port )(\d+)\b/;
  const [, port] = await readUntil(child.stdout, listening);
  const end = async (signal: Deno.Signal) => {
    child.kill(signal);
    const [status] = await Promise.all([
      child.status,
      child.stdout.cancel(),
      child.stderr.cancel(),
    ]);
    return status.code;
  };
  let ended: Promise<number> | undefined;
  return {
    port,
    end: (signal) => ended ??= end(signal),
    [Symbol.asyncDispose]: async () => void await (ended ??= end("SIGTERM")),
  };
}

/** What a client says when it is given `input`. */
async function talk(
  program: string,
  args: string[],
  input: string,
): Promise<string> {
  const command = new Deno.Command(program, {
    args,
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  });
  await using child = command.spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(input));
  await writer.close();
  const { stdout } = await child.output();
  return new TextDecoder().decode(stdout);
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
    await using _server = await startEcho();
    const { code, stdout } = await deno(
      "examples/echo_client.ts",
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

/** Runs a program that is to fail: with one line, no stack trace, and exit code 1. */
async function complaint(script: string, ...args: string[]): Promise<string> {
  const { code, stderr } = await deno(script, ...args).output();
  const text = new TextDecoder().decode(stderr);
  assertEquals(code, 1);
  assertMatch(text, /^[^\n]+\n$/);
  return text;
}

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
    assertStringIncludes(
      await complaint("examples/echo_client.ts", "hello"),
      "Connection refused",
    );
  },
});

/** What each example of a way to run answers the CPython client, as a pattern. */
const WAYS: [script: string, answer: RegExp][] = [
  ["examples/blocking_echo.ts", /^HELLO FROM PYTHON\n$/],
  [
    "examples/threaded_hash.ts",
    new RegExp(
      `^${
        scryptSync("hello from python", "salt", 32, { N: 1 << 14 })
          .toString("hex")
      }\n\n$`,
    ),
  ],
  [
    "examples/forking_sandbox.ts",
    /^3 words, counted by process \d+\nNotCapable: Requires read access to "\/etc\/passwd"[^\n]*\n\n$/,
  ],
];

for (const [script, answer] of WAYS) {
  Deno.test({
    name:
      `${script} answers a CPython client with its documented permissions, and ends on SIGINT`,
    ignore: !mayRun || !have("python3"),
    async fn() {
      await using server = await start(script, "0");
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
