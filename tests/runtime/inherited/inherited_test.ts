/** Sockets that a program inherits: socket activation. */

import { parseListenFds } from "../../../internal/runtime/inherited/listen_fds.ts";
import { AF_INET6, createConnection, Socket } from "../../../socket.ts";
import { AsyncTCPServer } from "../../../mixins.ts";
import { TCPServer, UDPServer, UnixStreamServer } from "../../../server.ts";
import {
  assert,
  assertEquals,
  assertMatch,
  assertStrictEquals,
  assertThrows,
} from "../../deps.ts";
import {
  granted,
  have,
  haveIPv6,
  havePython,
  mayFork,
} from "../../helpers/allowed.ts";
import { bytes, text } from "../../helpers/bytes.ts";
import { ask } from "../../helpers/clients.ts";
import { EchoDatagram, EchoLine, serving } from "../../helpers/servers.ts";
import {
  deadPort,
  listen,
  recvToEnd,
  tcpPair,
  udp,
} from "../../helpers/sockets.ts";
import { boundedCommand, within } from "../../helpers/within.ts";

const testdata = (name: string) =>
  new URL(`../../testdata/${name}`, import.meta.url).pathname;

const python = havePython() && granted("read", "write");
const activate = have("systemd-socket-activate") &&
  granted("read", "write", "env");

/** Returns the command that runs a file of the test data. */
const deno = (file: string, ...flags: string[]) => [
  ...[Deno.execPath(), "run", "--quiet", "--no-check", "--no-prompt"],
  ...flags,
  testdata(file),
];

/** A program whose output is read line by line. */
function start(program: string, args: string[]) {
  const child = boundedCommand(program, {
    args,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const lines = (stream: ReadableStream<Uint8Array<ArrayBuffer>>) => {
    const reader = stream.pipeThrough(new TextDecoderStream())
      .getReader();
    let rest = "";
    return async () => {
      while (!rest.includes("\n")) {
        const { value, done } = await within(reader.read(), 60_000);
        if (done) return rest;
        rest += value;
      }
      const [line] = rest.split("\n", 1);
      rest = rest.slice(line.length + 1);
      return line;
    };
  };
  const [line, errorLine] = [lines(child.stdout), lines(child.stderr)];
  return {
    child,
    line,
    errorLine,
    async [Symbol.asyncDispose]() {
      try {
        child.kill("SIGKILL");
      } catch { /* it has ended */ }
      while (await line() !== "");
      while (await errorLine() !== "");
      await child.status;
    },
  };
}

/** Starts a program under systemd-socket-activate, which waits for the first client before it executes the program. */
async function activated(options: string[], program: string[]) {
  const started = start("systemd-socket-activate", [...options, ...program]);
  const sockets = options.filter((each) => each === "-l").length;
  for (let count = 0; count < sockets; count++) {
    assertMatch(await started.errorLine(), /^Listening on /);
  }
  return started;
}

/** Returns the answer to a line. */
async function answer(address: [string, number] | string): Promise<string> {
  using client = await createConnection(address);
  await client.sendall(bytes("hello\n"));
  return text(await recvToEnd(client));
}

Deno.test("a server accepts a socket in place of an address", async () => {
  const given = listen();
  const address = given.getsockname();
  const server = new AsyncTCPServer(given, EchoLine);
  assertEquals(server.serverAddress, address);
  assertStrictEquals<unknown>(server.socket, given);
  await serving(server, async () => {
    assertEquals(await ask(server, "one\n"), "one\n");
  });
  assertEquals(given.fileno(), -1);
  const packets = new UDPServer(udp(), EchoDatagram);
  await serving(packets, async () => {
    assertEquals(await ask(packets, "two"), "two");
  });
  if (!haveIPv6) return;
  const six = new TCPServer(listen(AF_INET6), EchoLine);
  assertEquals(six.addressFamily, AF_INET6);
  await serving(six, async () => {
    assertEquals(await ask(six, "three\n"), "three\n");
  });
});

Deno.test("a server serves on a socket that is assigned to it", async () => {
  const server = new AsyncTCPServer(["127.0.0.1", 0], EchoLine, {
    bindAndActivate: false,
  });
  server.socket = listen();
  server.serverAddress = server.socket.getsockname();
  await serving(server, async () => {
    assertEquals(await ask(server, "hello\n"), "hello\n");
  });
});

Deno.test("a server refuses a socket of the wrong kind, and names the right one", async () => {
  const [client, connection] = await tcpPair();
  using listener = listen();
  using packets = udp();
  const closed = new Socket();
  closed.close();
  using unbound = new Socket();
  // deno-lint-ignore no-explicit-any
  const servers: [any, Socket, string][] = [
    [TCPServer, client, "listening TCP socket, got a connected TCP socket"],
    [TCPServer, closed, "listening TCP socket, got a closed TCP socket"],
    [TCPServer, unbound, "listening TCP socket, got an unbound TCP socket"],
    [TCPServer, packets, "listening TCP socket, got a bound UDP socket"],
    [UDPServer, listener, "bound UDP socket, got a listening TCP socket"],
    [
      UnixStreamServer,
      listener,
      "listening Unix stream socket, got a listening TCP socket",
    ],
  ];
  for (const [Server, socket, needs] of servers) {
    const Handler = Server === UDPServer ? EchoDatagram : EchoLine;
    assertThrows(
      () => new Server(socket, Handler),
      TypeError,
      `Cannot make a server of ${Server.name}: it needs a ${needs}`,
    );
  }
  client.close();
  connection.close();
});

Deno.test("inheritedSocket() reads the variables of sd_listen_fds()", () => {
  const parse = (
    LISTEN_FDS?: string,
    LISTEN_PID?: string,
    LISTEN_FDNAMES?: string,
  ) => parseListenFds({ LISTEN_FDS, LISTEN_PID, LISTEN_FDNAMES }, 42);
  const unknown = (fd: number) => ({ fd, name: "unknown" });
  assertEquals(parse(), []);
  assertEquals(parse("0", "42"), []);
  assertEquals(parse("2", "42"), [unknown(3), unknown(4)]);
  assertEquals(parse("1"), [unknown(3)]);
  assertEquals(parse("2", "42", "http:"), [
    { fd: 3, name: "http" },
    unknown(4),
  ]);
  const rows: [string[], string][] = [
    [["two", "42"], 'LISTEN_FDS must be a number, got "two"'],
    [["-1", "42"], 'LISTEN_FDS must be a number, got "-1"'],
    [["1", "x"], 'LISTEN_PID must be a number, got "x"'],
    [
      ["1", "41"],
      "LISTEN_PID is 41, and this process is 42: start deno itself, with exec in a shell script, and not through npx",
    ],
    [["2", "42", "http"], 'LISTEN_FDNAMES is "http", but LISTEN_FDS is 2'],
  ];
  for (const [values, reason] of rows) {
    const error = assertThrows(() => parse(...values));
    assertEquals(
      (error as Error).message,
      `Cannot take the inherited sockets: ${reason} (EINVAL)`,
    );
  }
});

Deno.test({
  name:
    "Socket.fromFd() recognizes sockets, and names a descriptor that it cannot adopt",
  ignore: !python,
  async fn() {
    const kinds =
      "tcp,tcp6,bound,unbound,connected,udp,unix,abstract,pair,datagram,packets,file,pipe,wrong,wrongtype";
    const args = [
      testdata("pass_sockets.py"),
      kinds,
      ...deno("adopting.ts", "--allow-all"),
    ];
    await using program = start("python3", args);
    const { paths: directory, ...told } = JSON.parse(await program.line());
    const adopt = (fd: number, reason: string) =>
      `Cannot adopt descriptor ${fd}: ${reason}`;
    const noPeer =
      "Cannot getpeername: Transport endpoint is not connected (ENOTCONN)";
    const other =
      "Deno can adopt TCP and UDP sockets and Unix streams, and no Unix datagram socket or other kind (EOPNOTSUPP)";
    const inet = { family: 2, type: 1, address: "127.0.0.1", peer: noPeer };
    assertEquals(told, {
      several: `Cannot take the inherited socket: 15 sockets match of ${
        kinds.split(",").map((name) => `"${name}"`).join(", ")
      }; give another name, or call inheritedSockets() (EINVAL)`,
      none: `Cannot take the inherited socket "nobody": their names are ${
        kinds.split(",").map((name) => `"${name}"`).join(", ")
      } (EINVAL)`,
      negative:
        "Cannot adopt a descriptor: it must be an integer from 0, got -1",
      closed: adopt(99, "it is not open (EBADF)"),
      wrong: adopt(16, "its family is AF_INET and not AF_UNIX (EAFNOSUPPORT)"),
      wrongtype: adopt(17, "its type is 2 and not 1 (EINVAL)"),
      tcp: inet,
      tcp6: { family: 10, type: 1, address: "::1", peer: noPeer },
      bound: inet,
      unbound: adopt(6, "the socket is neither bound nor connected (EINVAL)"),
      connected: { ...inet, peer: "127.0.0.1" },
      udp: { ...inet, type: 2 },
      unix: {
        family: 1,
        type: 1,
        address: `${directory}/stream`,
        peer: noPeer,
      },
      abstract: { family: 1, type: 1, address: `\0${directory}`, peer: noPeer },
      pair: { family: 1, type: 1, address: "", peer: "" },
      datagram: adopt(12, other),
      packets: adopt(13, other),
      file: adopt(14, "it is no socket (ENOTSOCK)"),
      pipe: adopt(15, "Socket operation on non-socket (ENOTSOCK)"),
      exchanged: ["true", "one", "two\n", "TimeoutError", "THREE"],
      twice: adopt(3, "it was adopted before (EBUSY)"),
      variables: {},
      leaked: [],
    });
  },
});

Deno.test({
  name:
    "inheritedSockets() serves what systemd passes, in all four ways to run",
  ignore: !activate || !mayFork || !haveIPv6,
  async fn() {
    const directory = await Deno.makeTempDir();
    const [port, other] = [deadPort(), deadPort()];
    const addresses: ([string, number] | string)[] = [
      ...[["127.0.0.1", port], ["::1", port]] as [string, number][],
      ...[`${directory}/plain`, `${directory}/threading`],
      ["127.0.0.1", other],
    ];
    const options = addresses.flatMap((address) => [
      "-l",
      typeof address === "string"
        ? address
        : address[0] === "::1"
        ? `[::1]:${port}`
        : address.join(":"),
    ]);
    options.push("--fdname=Async:Async:plain:Threading:Forking");
    await using program = await activated(options, [
      ...deno("activated_server.ts", "--allow-all"),
      "Async,plain,Threading,Forking",
    ]);
    const answers = await Promise.all(addresses.map((each) => answer(each)));
    assertEquals(answers, Array(5).fill("HELLO\n"));
    assertEquals(JSON.parse(await program.line()), addresses);
    const clients = [
      `echo hello | ncat 127.0.0.1 ${port}`,
      `echo hello | ncat -U ${directory}/plain`,
      `echo hello | curl --silent --max-time 20 telnet://127.0.0.1:${other}`,
    ];
    for (const client of clients.filter((each) => have(each.split(" ")[3]))) {
      const { stdout } = await boundedCommand("sh", { args: ["-c", client] })
        .output();
      assertEquals(text(stdout), "HELLO\n", client);
    }
    program.child.kill("SIGTERM");
    assertEquals(JSON.parse(await program.line()).forced, 0);
    assert(Deno.lstatSync(`${directory}/plain`).isSocket); // systemd owns it
    await Deno.remove(directory, { recursive: true });
  },
});

Deno.test({
  name:
    "a restart on an inherited socket loses no client, also at maxConnections",
  ignore: !python || !mayFork,
  async fn() {
    const ways = "plain,Async,Async,Forking,Secure"; // the second and the fourth on Unix sockets
    await using program = start("python3", [
      ...[testdata("hand_over.py"), "1", ways],
      ...deno("activated_server.ts", "--allow-all", "--unstable-net"),
      ...[ways, '{"maxConnections":2}'],
    ]);
    const { answered, failures, reports } = JSON.parse(await program.line());
    assertEquals({ answered, failures }, { answered: true, failures: [] });
    for (const report of reports) assertEquals(JSON.parse(report).forced, 0);
  },
});

Deno.test({
  name: "inheritedSocket() returns the connection with Accept=yes",
  ignore: !activate,
  async fn() {
    const code = `
      import { inheritedSocket } from ${
      JSON.stringify(new URL("../../../mod.ts", import.meta.url))
    };
      using connection = inheritedSocket("connection");
      await connection.sendall(await connection.recv(100));
      Deno.stderr.writeSync(new TextEncoder().encode(String(connection.getpeername()) + "\\n"));`;
    const port = deadPort();
    const variables = "--allow-env=LISTEN_FDS,LISTEN_PID,LISTEN_FDNAMES";
    const url = `data:text/typescript,${encodeURIComponent(code)}`;
    await using _program = await activated(
      ["-l", `127.0.0.1:${port}`, "--accept", "--fdname=connection"],
      [
        Deno.execPath(),
        "run",
        "--quiet",
        "--no-check",
        "--no-prompt",
        variables,
        url,
      ],
    );
    assertEquals(await answer(["127.0.0.1", port]), "hello\n");
  },
});

Deno.test({
  name: "inheritedSockets() names the missing permission",
  ignore: !mayFork,
  async fn() {
    const program = deno("activated_server.ts", "--allow-env=LISTEN_FDS");
    await using started = start("env", ["LISTEN_FDS=1", ...program, "a"]);
    assertMatch(
      await started.line(),
      /run again with --allow-env=LISTEN_FDS,LISTEN_PID,LISTEN_FDNAMES \(EACCES\)$/,
    );
  },
});

Deno.test({
  name:
    "inheritedSocket() does not adopt a descriptor of Deno itself that has the number",
  ignore: !activate,
  async fn() {
    const code = `import { inheritedSocket } from "${new URL(
      "../../../mod.ts",
      import.meta.url,
    )}";
      try { inheritedSocket(); } catch (error) { console.log(error.message); }
      setTimeout(() => console.log("goes on"), 10);`;
    const shell =
      'LISTEN_PID=$$ LISTEN_FDS=1; export LISTEN_PID LISTEN_FDS; exec "$@" 3<&-';
    await using program = start("sh", [
      ...["-c", shell, "sh", Deno.execPath(), "eval", code],
    ]);
    assertEquals(
      await program.line(),
      "Cannot adopt descriptor 3: Socket operation on non-socket (ENOTSOCK)",
    );
    assertEquals(await program.line(), "goes on");
  },
});
