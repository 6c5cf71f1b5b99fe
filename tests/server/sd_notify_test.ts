/** Messages to the service manager, read by a socket of CPython's. */

import { AsyncTCPServer, sdNotify, serve, TCPServer } from "../../mod.ts";
import {
  AF_UNIX,
  OSError,
  SOCK_DGRAM,
  Socket,
  TimeoutError,
} from "../../socket.ts";
import { assertEquals, assertMatch, assertRejects } from "../deps.ts";
import {
  granted,
  havePython,
  haveUnix,
  unstableNet,
} from "../helpers/allowed.ts";
import { ask, connectTo } from "../helpers/clients.ts";
import { Stderr } from "../helpers/reports.ts";
import { EchoLine, LOOPBACK } from "../helpers/servers.ts";
import { newPath } from "../helpers/sockets.ts";
import { boundedCommand, Event, within } from "../helpers/within.ts";

const mayNotify = haveUnix && unstableNet && granted("env");
const ignore = !mayNotify || !havePython();

/** Sets the variables of the service manager until it is disposed of. */
function managed(variables: Record<string, string>): Disposable {
  for (const [name, value] of Object.entries(variables)) {
    Deno.env.set(name, value);
  }
  return {
    [Symbol.dispose]() {
      for (const name of Object.keys(variables)) Deno.env.delete(name);
    },
  };
}

/** A service manager in Python, with the sockets at these paths. */
async function manager(...paths: string[]) {
  const script = new URL("../testdata/notify_listener.py", import.meta.url);
  const child = boundedCommand("python3", {
    args: [script.pathname, ...paths],
    stdout: "piped",
  }).spawn();
  const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  const line = async () => {
    while (!rest.includes("\n")) {
      rest += (await within(reader.read(), 60_000)).value;
    }
    const [line] = rest.split("\n", 1);
    rest = rest.slice(line.length + 1);
    return line;
  };
  assertEquals(await line(), "ready");
  return {
    /** Returns the next message, as its assignments. */
    message: async (): Promise<string[]> => JSON.parse(await line()),
    async [Symbol.asyncDispose]() {
      child.kill();
      await reader.cancel();
      await child.status;
    },
  };
}

Deno.test({
  name: "serve() tells the service manager that it serves, lives, and stops",
  ignore,
  async fn() {
    const [path, name] = [newPath(), `@${crypto.randomUUID()}`];
    await using service = await manager(path, name);
    const [running, release] = [new Event(), new Event()];
    class Stuck extends EchoLine {
      override async handle() {
        running.set();
        await release.wait();
      }
    }
    using _ = managed({
      NOTIFY_SOCKET: path,
      WATCHDOG_USEC: "100000",
      WATCHDOG_PID: `${Deno.pid}`,
    });
    const stop = new AbortController();
    const server = new AsyncTCPServer(LOOPBACK, Stuck);
    server.handleSlowClose = () => {};
    const served = serve(server, { signal: stop.signal, signals: [] });
    const status = `STATUS=Serving on 127.0.0.1:${server.serverAddress[1]}`;
    assertEquals(await service.message(), ["READY=1", status]);
    assertEquals(await service.message(), ["WATCHDOG=1"]);
    using client = await connectTo(server);
    await running.wait();
    stop.abort();
    const next = async () => {
      let message = await service.message();
      while (message[0] === "WATCHDOG=1") message = await service.message();
      return message;
    };
    const left = "STATUS=Stopping, 1 request left";
    assertEquals(await next(), ["STOPPING=1", left]);
    assertEquals(await service.message(), ["WATCHDOG=1"]); // it still lives
    assertEquals(await next(), [left, "EXTEND_TIMEOUT_USEC=10000000"]);
    release.set();
    await within(served);
    client.close();
    Deno.env.set("NOTIFY_SOCKET", name);
    assertEquals(await sdNotify("STATUS=bye", "ERRNO=5"), true);
    let last = await service.message();
    while (last[0] !== "STATUS=bye") last = await service.message();
    assertEquals(last, ["STATUS=bye", "ERRNO=5"]);
  },
});

Deno.test({
  name: "serve() tells nothing if a server cannot start, or with notify: false",
  ignore,
  async fn() {
    const path = newPath();
    await using service = await manager(path);
    using _ = managed({
      NOTIFY_SOCKET: path,
      WATCHDOG_USEC: "9",
      WATCHDOG_PID: "1",
    });
    class Late extends TCPServer {
      override async serverBind() {
        await Promise.resolve();
        throw new Error("taken");
      }
    }
    const options = { signals: [] };
    const late = new Late(LOOPBACK, EchoLine);
    await assertRejects(() => within(serve(late, options)), Error, "taken");
    const signal = AbortSignal.timeout(0);
    const server = new TCPServer(LOOPBACK, EchoLine);
    await within(serve(server, { ...options, signal, notify: false }));
    await sdNotify("READY=1");
    const stopping = ["STOPPING=1", "STATUS=Stopping, 0 requests left"];
    assertEquals(await service.message(), stopping);
    assertEquals(await service.message(), ["READY=1"]);
    using _longer = managed({
      WATCHDOG_USEC: "999999999999999", // half of it is longer than a timer can be
      WATCHDOG_PID: `${Deno.pid}`,
    });
    const other = new TCPServer(LOOPBACK, EchoLine);
    const later = AbortSignal.timeout(50);
    await within(serve(other, { ...options, signal: later }));
    const [ready] = await service.message();
    assertEquals(ready, "READY=1");
    assertEquals(await service.message(), stopping);
  },
});

Deno.test({
  name: "serve() goes on without the service manager, and says so once",
  ignore: !mayNotify,
  async fn() {
    const rows: [Record<string, string>, RegExp][] = [
      [
        { NOTIFY_SOCKET: newPath() },
        /^Cannot notify the service manager "\/.*": No such file or directory \(ENOENT\); the servers go on$/,
      ],
      [
        { NOTIFY_SOCKET: "vsock:2:1" },
        /^Cannot notify the service manager: NOTIFY_SOCKET must be a path or an abstract name, got "vsock:2:1" \(EINVAL\); the servers go on$/,
      ],
    ];
    for (const [variables, line] of rows) {
      using _ = managed(variables);
      using stderr = new Stderr();
      const stop = new AbortController();
      const server = new AsyncTCPServer(LOOPBACK, EchoLine);
      const served = serve(server, { signal: stop.signal, signals: [] });
      assertEquals(await ask(server, "hello\n"), "hello\n");
      stop.abort();
      await within(served);
      assertEquals(stderr.texts.length, 1);
      assertMatch(stderr.texts[0], line);
    }
  },
});

Deno.test({
  name: "serve() says what is wrong with the variables of the watchdog",
  ignore: !mayNotify,
  async fn() {
    const path = newPath();
    using service = new Socket(AF_UNIX, SOCK_DGRAM);
    service.bind(path);
    using _ = managed({ NOTIFY_SOCKET: path, WATCHDOG_USEC: "soon" });
    using stderr = new Stderr();
    const server = new AsyncTCPServer(LOOPBACK, EchoLine);
    const stop = new AbortController();
    const served = serve(server, { signal: stop.signal, signals: [] });
    assertMatch(
      new TextDecoder().decode(await service.recv(100)),
      /^READY=1\n/,
    );
    stop.abort();
    await within(served);
    assertEquals(stderr.texts, [
      'Cannot notify the service manager: WATCHDOG_USEC must be a number of microseconds, got "soon" (EINVAL); the servers go on',
    ]);
  },
});

Deno.test({
  name: "sdNotify() rejects if nobody reads the socket",
  ignore: !mayNotify,
  async fn() {
    const path = newPath();
    // deno-lint-ignore no-explicit-any
    const service = (Deno as any).listenDatagram({
      transport: "unixpacket",
      path,
    });
    using _ = managed({ NOTIFY_SOCKET: path });
    let sent = 0;
    const error = await within(assertRejects(async () => {
      for (;; sent++) await sdNotify("WATCHDOG=1");
    }, TimeoutError));
    assertMatch(error.message, /: nobody reads its socket \(ETIMEDOUT\)$/);
    for (let count = 0; count <= sent; count++) await within(service.receive());
    service.close(); // the message that came too late has arrived as well: Deno cannot cancel it
  },
});

Deno.test({
  name: "sdNotify() checks its arguments, and does nothing without a manager",
  ignore: !granted("env"),
  async fn() {
    assertEquals(await sdNotify("READY=1"), false);
    if (!unstableNet) {
      using _ = managed({ NOTIFY_SOCKET: "/none" });
      const message =
        "Cannot notify the service manager: run again with --unstable-net (EPROTONOSUPPORT)";
      await assertRejects(() => sdNotify("READY=1"), OSError, message);
    }
    // @ts-expect-error it is no assignment
    const ready = () => sdNotify("READY");
    for (
      const call of [
        ready,
        () => sdNotify("STATUS=a\nREADY=1"),
        () => sdNotify("ready=1"),
      ]
    ) {
      await assertRejects(
        call,
        TypeError,
        "Cannot notify the service manager: an assignment must be one line NAME=value, got ",
      );
    }
  },
});
