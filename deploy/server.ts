/**
 * A server as it runs in production: limits, the PROXY protocol, an inherited socket, readiness, metrics, and a drain at
 * SIGTERM. Put your own handler in the place of `Lines`. docs/operating.md explains it; the other files of this directory
 * start it.
 *
 *     deno run --allow-net deploy/server.ts [--host=0.0.0.0] [--port=9999] [--activated] [--proxies=10.0.0.0/8,...]
 *         [--health-host=<host>] [--health-port=8081] [--shutdown-delay=0] [--close-timeout=20]
 *
 * It answers each line with the line in capitals. With `--activated`, the socket is that of the service manager, with the
 * name "lines". With `--proxies`, the networks of the load balancers, each connection begins with a header of the PROXY
 * protocol. On the health port, over HTTP, `/ready` is 200 while the server serves, and 404 once it stops; `/alive` is 200
 * as long as the event loop turns; `/metrics` is for Prometheus.
 */
import { parseArgs } from "node:util";
import {
  AsyncTCPServer,
  formatAddress,
  inheritedSocket,
  ProxyProtocolMixIn,
  serve,
  StreamRequestHandler,
} from "@socketserver/socketserver";
import { ServerMetrics } from "@socketserver/socketserver/telemetry";

const text = new TextDecoder();

class Lines extends StreamRequestHandler {
  override timeout = 60; // seconds for each read and write
  override lineLimit = 4096;

  /** Answers lines. A drain ends the wait for the next line, but not that for the first line of a new connection. */
  override async handle() {
    do {
      const line = await this.rfile.readline();
      if (line.length === 0) return;
      await this.wfile.write(text.decode(line).toUpperCase());
    } while (await this.waitForRequest());
  }
}

const { values } = parseArgs({
  options: {
    "activated": { type: "boolean", default: false },
    "proxies": { type: "string" },
    "host": { type: "string", default: "0.0.0.0" },
    "port": { type: "string", default: "9999" },
    "health-host": { type: "string" },
    "health-port": { type: "string", default: "8081" },
    "shutdown-delay": { type: "string", default: "0" },
    "close-timeout": { type: "string", default: "20" },
  },
});

const limits = {
  closeTimeout: Number(values["close-timeout"]),
  maxConnections: 1024,
  reportLostClients: false,
};
const inherited = values.activated ? inheritedSocket("lines") : undefined;
if (values.activated && inherited === undefined) {
  console.error("Cannot serve: no service manager has passed a socket");
  Deno.exit(1);
}
const address = inherited ?? [values.host, Number(values.port)] as const;
const proxyTrusted = values.proxies?.split(",");
const lines = proxyTrusted === undefined
  ? new AsyncTCPServer(address, Lines, limits)
  : new (ProxyProtocolMixIn(AsyncTCPServer))(address, Lines, {
    ...limits,
    proxyTrusted,
  });
using metrics = new ServerMetrics(lines);

/** Answers load balancers, Kubernetes and Prometheus. */
function answer({ url }: Request): Response {
  const { state } = lines.status;
  const { pathname } = new URL(url);
  if (pathname === "/metrics") {
    const headers = { "content-type": ServerMetrics.contentType };
    return new Response(metrics.prometheus(), { headers });
  }
  const found = pathname === "/ready"
    ? state === "serving"
    : pathname === "/alive";
  return new Response(`${state}\n`, { status: found ? 200 : 404 });
}

const hostname = values["health-host"] ?? values.host;
const port = Number(values["health-port"]);
await using _health = Deno.serve({ hostname, port, onListen() {} }, answer); // until the last request has ended
console.log(`Listening on ${formatAddress(lines.serverAddress)}`);
const shutdownDelay = Number(values["shutdown-delay"]);
const report = await serve(lines, { shutdownDelay });
console.log(`Stopped: ${JSON.stringify(report)}`);
