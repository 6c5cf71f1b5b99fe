/** Mistakes of programs: the first line of each message names the cure, and docs/mistakes.md quotes it. */

import * as module from "../../mod.ts";
import * as telemetry from "../../telemetry.ts";
import { assert, assertEquals } from "../deps.ts";
import { read, withDirectory } from "./docs_programs.ts";
import { granted, mayFork } from "../helpers/allowed.ts";
import { boundedCommand, within } from "../helpers/within.ts";
import { handlers } from "../testdata/mistaken_handlers.ts";

// Programs with mistakes do not pass the type checker.
// deno-lint-ignore no-explicit-any
const s: any = module;
// deno-lint-ignore no-explicit-any
const t: any = telemetry;
const LOOPBACK = ["127.0.0.1", 0];

class Upper extends s.StreamRequestHandler {
  async handle() {
    await this.wfile.write("hello\n");
  }
}
class Datagrams extends s.DatagramRequestHandler {
  async handle() {
    await this.wfile.write("hello\n");
  }
}

const STREAM = ["TCPServer", "AsyncTCPServer", "UnixStreamServer"];
const UNIX = [
  ...["UnixStreamServer", "AsyncUnixStreamServer", "UnixDatagramServer"],
  "AsyncUnixDatagramServer",
];
const INET = ["TCPServer", "UDPServer", "AsyncTCPServer", "AsyncUDPServer"];
if (mayFork) {
  INET.push("ThreadingTCPServer", "ForkingTCPServer", "ThreadingUDPServer");
  UNIX.push("ThreadingUnixStreamServer", "ForkingUnixStreamServer");
}

/** A handler for the requests of a server that can run in workers and processes too. */
function handlerFor(Server: string) {
  const Base = /UDP|Datagram/.test(Server) ? Datagrams : Upper;
  return class Handler extends Base {
    static readonly moduleUrl = import.meta.url;
  };
}

/** Creates servers of several classes, which must fail with the same message. */
function inEach(classes: string[], make: (name: string) => unknown) {
  return () => {
    const messages = classes.map((name) => {
      try {
        (make(name) as AsyncDisposable)[Symbol.asyncDispose]();
      } catch (error) {
        return (error as Error).message.replaceAll(name, "TCPServer");
      }
      return `${name} made no mistake of it`;
    });
    assertEquals([...new Set(messages)], [messages[0]]);
    throw new Error(messages[0]);
  };
}

const addressed = (address: unknown, classes = INET) =>
  inEach(classes, (name) => new s[name](address, handlerFor(name)));
const handledBy = (Handler: unknown, classes = INET) =>
  inEach(classes, (name) => new s[name](LOOPBACK, Handler));
const withOptions = (options: unknown) =>
  inEach(INET, (name) => new s[name](LOOPBACK, handlerFor(name), options));

/** Creates a server whose workers accept. */
const inWorkers = (Handler: unknown = handlerFor("TCP"), options = {}) =>
  new s.ThreadingTCPServer(LOOPBACK, Handler, {
    acceptIn: "workers",
    maxWorkers: 2,
    ...options,
  });

/** Returns the error that a server reports for a request. */
function reported(Handler: unknown, Server = "AsyncTCPServer") {
  return async () => {
    const { promise, resolve } = Promise.withResolvers<Error>();
    await using server = new s[Server](LOOPBACK, Handler);
    server.handleError = (_: unknown, _client: unknown, error: Error) =>
      resolve(error);
    const serving = server.serveForever();
    using client = await s.createConnection(server.serverAddress);
    await client.sendall(new TextEncoder().encode("hello\n"));
    const error = await within(promise, 60_000);
    await server.shutdown();
    await serving;
    throw error;
  };
}

const Stream = s.StreamRequestHandler;

const proxied = (options: unknown, classes: string[]) =>
  inEach(
    classes,
    (name) =>
      new (s.ProxyProtocolMixIn(s[name]))(LOOPBACK, handlerFor(name), options),
  );

/** The mistakes, by the first column of the page. Each throws, or returns, its message. */
const MISTAKES: Record<string, () => unknown> = {
  'a port as a string: `["localhost", "8080"]`': addressed([
    "localhost",
    "8080",
  ]),
  'one string: `"localhost:8080"`': addressed("localhost:8080"),
  "a port alone: `8080`": addressed(8080),
  'port and host: `[8080, "localhost"]`': addressed([8080, "localhost"]),
  'an object: `{ hostname: "localhost", port: 8080 }`': addressed({
    hostname: "localhost",
    port: 8080,
  }),
  "an environment variable that is not set: `Number(undefined)`": addressed([
    "localhost",
    NaN,
  ]),
  'a path for a TCP or UDP server: `"/run/app.sock"`': addressed(
    "/run/app.sock",
  ),
  'host and port for a Unix server: `["localhost", 8080]`': addressed(
    ["localhost", 8080],
    UNIX,
  ),
  'host and port as two arguments: `("localhost", 8080, Upper)`': inEach(
    INET,
    (name) => new s[name]("localhost", 8080, handlerFor(name)),
  ),
  'an IPv6 address without `addressFamily`: `["::1", 8080]`': addressed([
    "::1",
    8080,
  ]),
  "a timeout in place of options: `createConnection(address, 5)`": () =>
    s.createConnection(["localhost", 8080], 5),
  'host and port as two arguments: `createConnection("localhost", 8080)`': () =>
    s.createConnection("localhost", 8080),
  "no `await` before `createConnection`, whose result is relayed": () =>
    s.relay(Promise.resolve(), new s.Socket()),
  "no `new`: `TCPServer(...)`": () => s.TCPServer(LOOPBACK, Upper),
  "an object of the class: `new Upper()`": handledBy(
    Reflect.construct(Upper, []),
  ),
  "a function: `async (socket) => { ... }`": handledBy(async () => {}),
  "no handler": handledBy(undefined),
  "`requestQueueSize` of a server that is bound": async () => {
    await using server = new s.TCPServer(LOOPBACK, Upper);
    server.requestQueueSize = 5;
  },
  "`waitForRequest` for a datagram": async () => {
    const socket = new s.Socket(s.AF_INET, s.SOCK_DGRAM);
    const request = [new Uint8Array(1), socket];
    await Reflect.construct(Datagrams, [request, LOOPBACK, {}])
      .waitForRequest();
  },
  "a handler of connections for UDP": handledBy(
    class Upper extends Stream {
      static moduleUrl = import.meta.url;
    },
    INET.filter((name) => name.includes("UDP")),
  ),
  "a handler of datagrams for TCP": inEach(STREAM, (name) =>
    new s[name](
      name.startsWith("Unix") ? "/none/x" : LOOPBACK,
      class Upper extends s.DatagramRequestHandler {},
    )),
  "a blocking handler without workers": inEach(
    ["TCPServer", "AsyncTCPServer", ...mayFork ? ["ForkingTCPServer"] : []],
    (name) =>
      new s[name](
        LOOPBACK,
        class Upper extends s.BlockingStreamRequestHandler {
          static moduleUrl = import.meta.url;
        },
      ),
  ),
  "a typo in `handle`: `async handel() { ... }`": handledBy(
    class Upper extends Stream {
      async handel() {}
    },
  ),
  "another case: `async Handle() { ... }`": handledBy(
    class Upper extends s.DatagramRequestHandler {
      async Handle() {}
    },
  ),
  "a static `handle`": handledBy(
    class Upper extends s.BaseRequestHandler {
      static async handle() {}
    },
  ),
  "another name: `async serve() { ... }`": reported(
    class Upper extends Stream {
      async serve() {}
    },
  ),
  '`acceptIn` without workers and children: `{ acceptIn: "workers" }`': inEach(
    [...STREAM, "UDPServer"],
    (name) => new s[name](LOOPBACK, handlerFor(name), { acceptIn: "workers" }),
  ),
  'a hook that processes do not call, with `acceptIn: "children"`': () => {
    class Guarded extends s.ForkingTCPServer {
      verifyRequest() {
        return false;
      }
    }
    const options = { acceptIn: "children" };
    Reflect.construct(Guarded, [LOOPBACK, handlerFor("TCP"), options]);
  },
  'a limit that processes cannot hold, with `acceptIn: "children"`': () =>
    new s.ForkingTCPServer(LOOPBACK, handlerFor("TCP"), {
      acceptIn: "children",
      maxConnectionsPerClient: 10,
    }),
  "no `moduleUrl` for workers": inEach(
    ["ThreadingTCPServer"],
    (name) => new s[name](LOOPBACK, Upper),
  ),
  "no `moduleUrl` for processes": inEach(
    ["ForkingTCPServer"],
    (name) => new s[name](LOOPBACK, Upper),
  ),
  "no `export`": reported(handlers.Upper, "ThreadingTCPServer"),
  "no file, as in `deno eval`": reported(
    class Upper extends Stream {
      static moduleUrl = "file:///srv/$deno$eval.mts";
    },
    "ForkingTCPServer",
  ),
  "a misspelt option: `{ maxConnection: 5 }`": inEach(
    INET.filter((name) => name.startsWith("Async")),
    (name) => new s[name](LOOPBACK, handlerFor(name), { maxConnection: 5 }),
  ),
  "Python's spelling: `{ allow_reuse_address: true }`": withOptions({
    allow_reuse_address: true,
  }),
  "Python's `bind_and_activate`: `false`": withOptions(false),
  "no proxies: `ProxyProtocolMixIn(TCPServer)` without `proxyTrusted`": proxied(
    {},
    INET.filter((name) => name.includes("TCP")),
  ),
  'a network that is an address: `proxyTrusted: ["10.1.2.3/8"]`': proxied(
    { proxyTrusted: ["10.1.2.3/8"] },
    INET.filter((name) => name.includes("TCP")),
  ),
  "the PROXY protocol for datagrams: `ProxyProtocolMixIn(UDPServer)`": proxied(
    { proxyTrusted: ["127.0.0.1"] },
    INET.filter((name) => name.includes("UDP")),
  ),
  "a static `timeout` of a handler": reported(
    class Upper extends Stream {
      static timeout = 5;
    },
  ),
  'a blocking handler and `acceptIn: "workers"`': () =>
    inWorkers(
      class Upper extends s.BlockingStreamRequestHandler {
        static readonly moduleUrl = import.meta.url;
      },
    ),
  '`handleRequest()` with `acceptIn: "workers"`': async () => {
    await using server = inWorkers();
    await server.handleRequest();
  },
  "fewer workers that accept: `server.maxWorkers = 1`": async () => {
    await using server = inWorkers();
    server.maxWorkers = 1;
  },
  'a hook that workers cannot call: `getRequest` with `acceptIn: "workers"`':
    () => {
      class MyServer extends s.ThreadingTCPServer {
        getRequest() {
          return super.getRequest();
        }
      }
      // deno-lint-ignore no-explicit-any
      const Server: any = MyServer;
      new Server(LOOPBACK, handlerFor("TCP"), { acceptIn: "workers" });
    },
  'a limit that workers cannot keep: `maxAcceptRate` with `acceptIn: "workers"`':
    () => inWorkers(handlerFor("TCP"), { maxAcceptRate: 5 }),
  "no connections per second: `{ maxAcceptRate: 0 }`": withOptions({
    maxAcceptRate: 0,
  }),
  "no time for a request: `{ requestTimeout: 0 }`": withOptions({
    requestTimeout: 0,
  }),
  'a timeout as a string: `"5"`': () => new s.Socket().settimeout("5"),
  "no `super.setup()`": reported(
    class Upper extends Stream {
      async setup() {}
      async handle() {
        await this.wfile.write("hello\n");
      }
    },
  ),
  "no `await` before `recv`, whose result is sent": reported(
    class Upper extends s.BaseRequestHandler {
      async handle() {
        await this.request.sendall(this.request.recv(100));
      }
    },
  ),
  "no `await` before `readline`, whose result is written": reported(
    class Upper extends Stream {
      async handle() {
        await this.wfile.write(this.rfile.readline());
      }
    },
  ),
  "`for` without `await`": reported(
    class Upper extends Stream {
      async handle() {
        for (const line of this.rfile) await this.wfile.write(line);
      }
    },
  ),
  "a `handle` that does not await its own method": async () => {
    const { promise, resolve } = Promise.withResolvers<Error>();
    const handler = class Upper extends Stream {
      handle() {
        this.talk().catch(resolve);
      }
      async talk() {
        await this.request.recv(100);
        await this.request.recv(100);
      }
    };
    await using server = new s.AsyncTCPServer(LOOPBACK, handler);
    const serving = server.serveForever();
    using client = await s.createConnection(server.serverAddress);
    const error = await within(promise, 60_000);
    client.close();
    await server.shutdown();
    await serving;
    throw error;
  },
  'a string to a socket: `sendall("hello")`': async () => {
    const [a, b] = await s.socketpair();
    using _a = a;
    using _b = b;
    await a.sendall("hello");
  },
  "a number that is no descriptor: `Socket.fromFd(99)`": () =>
    s.Socket.fromFd(99),
  "a connection for a server: `new TCPServer(connection, Upper)`": async () => {
    const [a, b] = await s.socketpair();
    using _a = a;
    using _b = b;
    new s.TCPServer(a, Upper);
  },
  'a channel that does not exist: `subscribe("socketserver.request.end", …)`':
    () => t.subscribe("socketserver.request.end", () => {}),
  "a log without its server: `accessLog(undefined)`": () =>
    t.accessLog(undefined),
  'a level that does not exist: `consoleLogger(server, { level: "verbose" })`':
    () => t.consoleLogger({}, { level: "verbose" }),
  "no limit for a delay: `serve(server, { shutdownDelay: null })`": () =>
    s.serve({ serveForever() {} }, { shutdownDelay: null }),
  "a class for `serve`: `serve(AsyncTCPServer)`": () =>
    s.serve(class AsyncTCPServer {}),
};

/** Programs, by the first column of the page: the flags, the code and the output of each. */
const PROGRAMS: Record<string, [flags: string[], code: string]> = {
  "no `serveForever`": [["--allow-net"], "make('AsyncTCPServer')"],
  "no `await` before `serveForever` under `await using`": [
    ["--allow-net"],
    "await using server = make('AsyncTCPServer'); server.serveForever();",
  ],
  "a timeout in milliseconds: `5000`": [
    [],
    "new s.Socket().settimeout(5000); new s.Socket().settimeout(6000);",
  ],
  "no `--allow-net`": [[], "make('AsyncTCPServer')"],
  "`npx`, or a shell that stays, between systemd and Deno": [
    ["--allow-env"],
    `Deno.env.set("LISTEN_FDS", "1");
    Deno.env.set("LISTEN_PID", "41");
    try {
      s.inheritedSocket();
    } catch ({ message }) {
      throw new Error(message.replace(Deno.pid, 42));
    }`,
  ],
  'a wrong name of a socket: `inheritedSocket("web")`': [
    ["--allow-env"],
    `Deno.env.set("LISTEN_FDS", "1");
    Deno.env.set("LISTEN_FDNAMES", "http");
    s.inheritedSocket("web");`,
  ],
  "no `--allow-env`, for the sockets of systemd": [[], "s.inheritedSocket()"],
  "no `--allow-env`, with `serve(server, { notify: true })`": [
    ["--allow-net"],
    "await s.serve(make('AsyncTCPServer'), { notify: true, ...once });",
  ],
  "no `--unstable-net`, for the service manager": [
    ["--allow-net", "--allow-env"],
    `Deno.env.set("NOTIFY_SOCKET", "/run/none");
    await s.serve(make('AsyncTCPServer'), once);`,
  ],
  "a NOTIFY_SOCKET that is not there": [
    ["--allow-all", "--unstable-net"],
    `Deno.env.set("NOTIFY_SOCKET", "/run/none");
    await s.serve(make('AsyncTCPServer'), once);`,
  ],
  "no `--allow-read`, for workers": [
    ["--allow-net"],
    "make('ThreadingTCPServer')",
  ],
  "no `--allow-run`, for processes": [
    ["--allow-net"],
    "make('ForkingTCPServer')",
  ],
  "no `--allow-env`, for processes": [
    ["--allow-net", "--allow-run"],
    "make('ForkingTCPServer')",
  ],
  "no `--allow-read`, for a Unix socket": [
    ["--allow-net"],
    "make('AsyncUnixStreamServer', '/run/app.sock')",
  ],
  "no `--allow-write`, for a Unix socket": [
    ["--allow-net", "--allow-read"],
    "make('AsyncUnixStreamServer', '/run/app.sock')",
  ],
  "no `--unstable-net`, for Unix datagrams": [
    ["--allow-net", "--allow-read", "--allow-write"],
    "make('AsyncUnixDatagramServer', '/run/app.sock')",
  ],
  "no `if (import.meta.main)`": [
    ["--allow-all"],
    `const server = make("ThreadingTCPServer");
    const serving = server.serveForever();
    using client = await s.createConnection(server.serverAddress);
    await client.recv(1);
    await server.serverClose();
    await serving;`,
  ],
};

const START = `
import * as s from "@socketserver/socketserver";
export class Upper extends s.StreamRequestHandler {
  static moduleUrl = import.meta.url;
  async handle() {}
}
export class Datagrams extends s.DatagramRequestHandler {
  async handle() {}
}
const once = { signal: AbortSignal.abort() };
const make = (name, address = ["127.0.0.1", 0]) =>
  new s[name](address, /Datagram/.test(name) ? Datagrams : Upper);
`;

/** Runs a program, and returns the first line of its message. */
async function said(
  directory: string,
  index: number,
  [flags, code]: [string[], string],
): Promise<string> {
  const file = `${directory}/program_${index}.js`;
  await Deno.writeTextFile(file, START + code);
  const { stdout, stderr } = await boundedCommand(Deno.execPath(), {
    args: ["run", "--no-prompt", "--quiet", ...flags, file],
    env: { NO_COLOR: "1" },
  }).output();
  assertEquals(new TextDecoder().decode(stdout), "");
  const lines = new TextDecoder().decode(stderr).split("\n");
  const line = lines.find((line) => /\w/.test(line) && !/^Excep/.test(line))!;
  if (code.includes("settimeout")) assertEquals(lines.length, 2); // once
  return line.replace(
    /^(error: )?(Uncaught )?(\(in promise\) )?\w*Error: /,
    "",
  );
}

/** The messages of the page, by mistake. */
function readPage(): Map<string, string> {
  const rows = read("docs/mistakes.md").matchAll(/^\| (.*?) *\| (.*?) *\|$/gm);
  const cells = Array.from(
    rows,
    ([, mistake, message]) =>
      [mistake, message.replace(/^(`+) ?(.*?) ?\1$/, "$2")] as const,
  );
  return new Map(cells.filter(([mistake]) => !/^(mistake|-+)$/.test(mistake)));
}

/** Reports whether a message matches that of the page, in which "…" stands for any text. */
function isAlike(message: string, shown: string): boolean {
  const parts = shown.split("…").map((part) => RegExp.escape(part));
  return new RegExp(`^${parts.join(".+")}$`).test(message);
}

const mayRead = granted("read");

async function messageOf(mistake: () => unknown): Promise<string> {
  try {
    await mistake();
  } catch (error) {
    return (error as Error).message.split("\n")[0];
  }
  return "nothing is thrown";
}

for (const [mistake, make] of Object.entries(MISTAKES)) {
  Deno.test({
    name: `the message names the cure of this mistake: ${mistake}`,
    ignore: !mayRead ||
      (/workers|process|export|eval/.test(mistake) && !mayFork),
    async fn() {
      const message = await messageOf(make);
      const shown = readPage().get(mistake) ?? "";
      assert(isAlike(message, shown), `| ${mistake} | \`${message}\` |`);
    },
  });
}

Deno.test({
  name: "the messages of programs with mistakes name their cures",
  ignore: !mayFork || !granted("read", "write", "env", "run"),
  fn: (t) =>
    withDirectory(async (directory) => {
      const runs = Object.entries(PROGRAMS).map((
        [mistake, program],
        index,
      ) => [mistake, said(directory, index, program)] as const);
      await Promise.allSettled(runs.map(([, run]) => run));
      for (const [mistake, run] of runs) {
        await t.step(mistake, async () => {
          const message = await run;
          const shown = readPage().get(mistake) ?? "";
          assert(isAlike(message, shown), `| ${mistake} | \`${message}\` |`);
        });
      }
    }),
});

Deno.test({
  name: "docs/mistakes.md has the mistakes of these tests and no others",
  ignore: !mayRead,
  fn() {
    assertEquals(
      [...readPage().keys()].sort(),
      [...Object.keys(MISTAKES), ...Object.keys(PROGRAMS)].sort(),
    );
  },
});
