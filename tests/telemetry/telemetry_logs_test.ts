/** The console logger and the access log, and the metrics for Prometheus. */

import {
  type Address,
  AsyncTCPServer,
  AsyncUDPServer,
  BaseRequestHandler,
  type DatagramRequest,
  DatagramRequestHandler,
  type RequestHandlerConstructor,
  type Socket,
  StreamRequestHandler,
  UnixStreamServer,
} from "../../mod.ts";
import {
  accessLog,
  consoleLogger,
  instrument,
  type LogLevel,
  ServerMetrics,
} from "../../telemetry.ts";
import {
  assert,
  assertEquals,
  assertMatch,
  assertStringIncludes,
  assertThrows,
} from "../deps.ts";
import { haveUnix, mayRead } from "../helpers/allowed.ts";
import { ask, connectTo } from "../helpers/clients.ts";
import { parsePrometheus } from "../helpers/prometheus.ts";
import { Stderr } from "../helpers/reports.ts";
import { EchoLine, LOOPBACK, serving } from "../helpers/servers.ts";
import { newPath } from "../helpers/sockets.ts";
import { until, within } from "../helpers/within.ts";
import { Events } from "./telemetry_helpers.ts";

/** Fails for each client, with a text that looks like lines of a log. */
class Fails extends StreamRequestHandler {
  override handle() {
    throw new TypeError(
      "bad\n2026-01-01T00:00:00.000Z INFO forged \x1b[31m\u202e",
    );
  }
}

/** Serves one client, and returns what the logger writes. */
async function logged(
  level: LogLevel | undefined,
  Handler: RequestHandlerConstructor = EchoLine,
): Promise<string[]> {
  using _stderr = new Stderr();
  const lines: string[] = [];
  const server = new AsyncTCPServer(LOOPBACK, Handler, {
    maxConnectionsPerClient: 1,
  });
  using _log = consoleLogger(server, {
    level,
    write: (line) => lines.push(line),
  });
  await serving(server, async (server) => {
    await ask(server, "hello\n");
    await until(() => server.status.active === 0);
  });
  const port = String(server.serverAddress[1]);
  return lines.map((line) =>
    line.replace(/^\S+Z /, "").replaceAll(port, "PORT")
      .replaceAll(/127\.0\.0\.1:\d+/g, "CLIENT")
      .replaceAll(/\d\.\d{6} s/g, "TIME")
      .replaceAll(/request \d+/g, "request N")
  );
}

Deno.test("each of several servers has its start in its log, also if another one is observed before", async () => {
  await using servers = new AsyncDisposableStack();
  for (let count = 0; count < 2; count++) {
    const server = servers.use(new AsyncTCPServer(LOOPBACK, EchoLine));
    const lines: string[] = [];
    servers.use(consoleLogger(server, { write: (line) => lines.push(line) }));
    const served = server.serveForever();
    servers.defer(() => served);
    servers.defer(() => server.shutdown());
    assertEquals(lines.length, 1);
    assertMatch(lines[0], /listens$/);
  }
});

Deno.test("consoleLogger() writes the events of its level and above", async () => {
  const info = [
    "INFO AsyncTCPServer on 127.0.0.1:PORT (TCP) listens",
    "INFO AsyncTCPServer on 127.0.0.1:PORT (TCP) closed",
  ];
  const shorten = (lines: string[]) =>
    lines.map((line) => line.replace(/closed: .*/, "closed"));
  assertEquals(shorten(await logged(undefined)), info);
  assertEquals(await logged("warn"), []);
  assertEquals(shorten(await logged("debug")), [
    info[0],
    "DEBUG request N from CLIENT started",
    "DEBUG request N from CLIENT finished: TIME, 6 bytes in, 6 out",
    info[1],
  ]);
});

Deno.test("consoleLogger() escapes what could act on a terminal or forge a line", async () => {
  assertEquals(await logged("error", Fails), [
    "ERROR handler failed for CLIENT: TypeError: bad\\x0a" +
    "2026-01-01T00:00:00.000Z INFO forged \\x1b[31m\\u{202e}",
  ]);
});

Deno.test("consoleLogger() writes to stderr by default, and ends", () => {
  using stderr = new Stderr();
  const server = new AsyncTCPServer(LOOPBACK, EchoLine, {
    bindAndActivate: false,
  });
  const log = consoleLogger(server);
  server.serverBind();
  server.socket.close();
  log[Symbol.dispose]();
  assertEquals(stderr.texts, []);
  // deno-lint-ignore no-explicit-any
  const wrong = { level: "verbose" } as any;
  const error = assertThrows(() => consoleLogger(server, wrong), TypeError);
  assertStringIncludes(error.message, "verbose");
});

const LINE =
  /^(\S+) - - \[\d\d\/\w{3}\/\d{4}:\d\d:\d\d:\d\d \+0000\] "(\S+ \S+)" (\w+) (\d+) (\d+|-) \d+\.\d{6}$/;

/** The parts of a line of an access log. */
function parts(line: string): string[] {
  assertMatch(line, LINE);
  return LINE.exec(line)!.slice(1);
}

Deno.test("accessLog() writes a line for each request of its server", async () => {
  const lines: string[] = [];
  const other = new AsyncTCPServer(LOOPBACK, EchoLine);
  const server = new AsyncTCPServer(LOOPBACK, EchoLine);
  using _log = accessLog(server, { write: (line) => lines.push(line) });
  await serving(other, () =>
    serving(server, async (server) => {
      await ask(other, "no\n");
      using client = await connectTo(server);
      const from = client.getsockname() as [string, number];
      await client.sendall(new TextEncoder().encode("hello\n"));
      await client.recv(100);
      client.close();
      await until(() => lines.length === 1);
      assertEquals(parts(lines[0]), [
        from.join(":"),
        `TCP ${server.serverAddress.join(":")}`,
        "finished",
        "6",
        "6",
      ]);
    }));
  assertEquals(lines.length, 1);
});

Deno.test("accessLog() has no bytes out for datagrams", async () => {
  class Echo extends DatagramRequestHandler {
    override async handle() {
      await this.wfile.write(this.packet);
    }
  }
  const lines: string[] = [];
  const server = new AsyncUDPServer(LOOPBACK, Echo);
  using _log = accessLog(server, { write: (line) => lines.push(line) });
  await serving(server, async (server) => {
    assertEquals(await ask(server, "hello"), "hello");
    await until(() => lines.length === 1);
  });
  assertEquals(parts(lines[0]).slice(2), ["finished", "5", "-"]);
});

/** Paths that a hostile client may bind its socket to. */
const PATHS: [path: Address, field: string][] = [
  ["/tmp/a b", "/tmp/a\\x20b"],
  [
    '/tmp/x" finished 1 1 0.0\n127.0.0.1',
    "/tmp/x\\x22\\x20finished\\x201\\x201\\x200.0\\x0a127.0.0.1",
  ],
  ["\0abstract\x1b]0;title\x07", "\\x00abstract\\x1b]0;title\\x07"],
  ["/tmp/\u2028\u202e\\", "/tmp/\\u{2028}\\u{202e}\\\\"],
  ["", "-"],
];

Deno.test({
  name: "accessLog() escapes the path of a client",
  ignore: !haveUnix,
  async fn() {
    const lines: string[] = [];
    const paths = PATHS.map(([path]) => path);
    class Odd extends UnixStreamServer {
      override async getRequest(): Promise<[Socket, string]> {
        const [request] = await super.getRequest();
        return [request, paths.shift() as string];
      }
    }
    const server = new Odd(newPath(), EchoLine);
    using _log = accessLog(server, { write: (line) => lines.push(line) });
    await serving(server, async (server) => {
      for (const _ of PATHS) await ask(server, "x\n");
      await until(() => lines.length === PATHS.length);
    });
    assertEquals(
      lines.map((line) => parts(line)[0]),
      PATHS.map(([, field]) => field),
    );
  },
});

/** Does what its client says. */
class Obeys extends StreamRequestHandler {
  override async handle() {
    const line = new TextDecoder().decode(await this.rfile.readline());
    if (line === "throw\n") throw new RangeError("as asked");
    await this.wfile.write(line);
  }
}

Deno.test("ServerMetrics.prometheus() is text that Prometheus takes, with the counts of the server", async () => {
  using _stderr = new Stderr();
  const server = new AsyncTCPServer(LOOPBACK, Obeys);
  using metrics = new ServerMetrics(server);
  await serving(server, async (server) => {
    assertEquals(await ask(server, "one\n"), "one\n");
    await ask(server, "throw\n");
    using _open = await connectTo(server);
    await until(() =>
      server.status.accepted === 3 && server.status.active === 1
    );
    const { value, types } = parsePrometheus(metrics.prometheus());
    const labels = {
      server: server.serverAddress.join(":"),
      transport: "tcp",
    };
    const of = (name: string, more = {}) =>
      value(`socketserver_${name}`, { ...labels, ...more });
    assertEquals(of("requests_active"), 1);
    assertEquals(of("requests_accepted_total"), 3);
    assertEquals(of("requests_ended_total", { reason: "finished" }), 1);
    assertEquals(of("requests_ended_total", { reason: "failed" }), 1);
    assertEquals(of("handler_errors_total"), 1);
    assertEquals(of("io_bytes_total", { direction: "receive" }), 10);
    assertEquals(of("io_bytes_total", { direction: "transmit" }), 4);
    assertEquals(of("limit_hits_total", { limit: "maxConnections" }), 0);
    const duration = "request_duration_seconds";
    assertEquals(of(`${duration}_count`, { reason: "finished" }), 1);
    assertEquals(of(`${duration}_count`, { reason: "failed" }), 1);
    assertEquals(of(`${duration}_bucket`, { reason: "failed", le: "+Inf" }), 1);
    assertEquals(types.get(`socketserver_${duration}`), "histogram");
    assertEquals(types.get("socketserver_requests_active"), "gauge");
  });
});

Deno.test("ServerMetrics has each metric once for several servers, and escapes labels", () => {
  class Nothing extends BaseRequestHandler<DatagramRequest> {}
  const options = { bindAndActivate: false };
  const path = '/tmp/a "b"\\c\nd';
  using metrics = new ServerMetrics([
    new AsyncUDPServer(["127.0.0.1", 53], Nothing, options),
    new UnixStreamServer(path, EchoLine, options),
  ]);
  const { value } = parsePrometheus(metrics.prometheus());
  const name = "socketserver_requests_active";
  assertEquals(value(name, { server: "127.0.0.1:53", transport: "udp" }), 0);
  assertEquals(value(name, { server: path, transport: "unix" }), 0);
});

Deno.test({
  name: "docs/telemetry.md has each metric with its type and labels",
  ignore: !mayRead,
  fn() {
    const server = new AsyncTCPServer(LOOPBACK, EchoLine, {
      bindAndActivate: false,
    });
    using metrics = new ServerMetrics(server);
    const { types } = parsePrometheus(metrics.prometheus());
    const page = new URL("../../docs/telemetry.md", import.meta.url);
    const [, table] = Deno.readTextFileSync(page).split("<!-- metrics -->");
    const rows = table.split("\n\n")[1].matchAll(/^\| `(\w+)` *\| (\w+) *\|/gm);
    assertEquals(Array.from(rows, ([, name, type]) => [name, type]), [
      ...types,
    ]);
  },
});

Deno.test("ServerMetrics counts a duration in its bucket", async () => {
  const server = new AsyncTCPServer(LOOPBACK, EchoLine);
  using metrics = new ServerMetrics(server, { buckets: [0.000001, 60] });
  using events = new Events(server);
  await serving(server, async (server) => {
    await ask(server, "one\n");
    await events.next("socketserver.request.stop");
  });
  const { samples } = parsePrometheus(metrics.prometheus());
  const buckets = samples.filter(({ name }) => name.endsWith("_bucket"));
  assertEquals(buckets.map(({ labels, value }) => [labels.le, value]), [
    ["0.000001", 0],
    ["60", 1],
    ["+Inf", 1],
  ]);
  for (const wrong of [[2, 1], [1, 1], [NaN], [Infinity]]) {
    assertThrows(
      () => new ServerMetrics(server, { buckets: wrong }),
      RangeError,
    );
  }
});

Deno.test("instrument() does nothing without OTEL_DENO", async () => {
  using stderr = new Stderr();
  const server = new AsyncTCPServer(LOOPBACK, EchoLine);
  const { finishRequest } = server;
  using telemetry = instrument(server);
  assertEquals(telemetry.enabled, false);
  assert(server.finishRequest === finishRequest);
  assertThrows(() => instrument(server, { spansPerSecond: -1 }), RangeError);
  assertThrows(() => instrument(server, { spansPerSecond: NaN }), RangeError);
  await within(server.serverClose());
  assertEquals(stderr.texts, []);
});
