/**
 * A server as it runs in production: limits, the PROXY protocol, readiness, metrics, and a drain at SIGTERM. Replace the
 * handler by your own. docs/operating.md explains it; the other files of this directory start it.
 *
 *     deno run --allow-net deploy/server.ts [--host=0.0.0.0] [--port=9999] [--health-port=8081]
 *         [--trusted-proxies=10.0.0.0/8,...] [--shutdown-delay=5] [--close-timeout=20]
 *
 * The service answers each line with the line in capitals. On the health port, over HTTP, `/ready` is 200 while the
 * server serves, and 404 once it stops; `/alive` is 200 as long as the process lives; `/metrics` is its status.
 */
import { parseArgs } from "node:util";
import {
  AsyncTCPServer,
  formatAddress,
  serve,
  type ServerStatus,
  StreamRequestHandler,
} from "@socketserver/socketserver";

const text = new TextDecoder();

/** Answers lines. Ends between two lines when the server stops. */
class Lines extends StreamRequestHandler {
  override timeout = 60; // seconds for each read and write
  override lineLimit = 4096;

  override async handle() {
    while (!this.signal.aborted) {
      const line = await this.rfile.readline({ signal: this.signal });
      if (line.length === 0) return;
      await this.wfile.write(text.decode(line).toUpperCase());
    }
  }
}

/** Answers load balancers, Kubernetes and Prometheus. */
class Health extends StreamRequestHandler {
  override timeout = 5;

  override async handle() {
    const [, path] = text.decode(await this.rfile.readline()).split(" ");
    while ((await this.rfile.readline()).length > 2); // the fields of the request
    const [status, body] = answer(path);
    await this.wfile.write(
      `HTTP/1.1 ${status}\r\nContent-Type: text/plain; version=0.0.4\r\n` +
        `Content-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`,
    );
  }
}

function answer(path: string): [status: string, body: string] {
  const { state } = lines.status;
  if (path === "/alive") return ["200 OK", `${state}\n`];
  if (path === "/metrics") return ["200 OK", metrics(lines.status)];
  const ready = path === "/ready" && state === "serving";
  return [ready ? "200 OK" : "404 Not Found", `${state}\n`];
}

/** Returns the numbers of a status in the text format of Prometheus. */
function metrics(status: ServerStatus): string {
  return Object.entries(status)
    .filter(([, value]) => typeof value === "number")
    .map(([name, value]) =>
      `lines_${name.replace(/[A-Z]/g, "_$&").toLowerCase()} ${value}\n`
    )
    .join("");
}

const { values } = parseArgs({
  options: {
    "host": { type: "string", default: "0.0.0.0" },
    "port": { type: "string", default: "9999" },
    "health-port": { type: "string", default: "8081" },
    "trusted-proxies": { type: "string", default: "" },
    "shutdown-delay": { type: "string", default: "0" },
    "close-timeout": { type: "string", default: "20" },
  },
});

const lines = new AsyncTCPServer([values.host, Number(values.port)], Lines, {
  closeTimeout: Number(values["close-timeout"]),
  maxConnections: 1024,
  reportLostClients: false,
});
const health = new AsyncTCPServer(
  [values.host, Number(values["health-port"])],
  Health,
  { maxConnections: 16, reportLostClients: false },
);
console.log(
  `Listening on ${formatAddress(lines.serverAddress)}, ` +
    `health on ${formatAddress(health.serverAddress)}`,
);
await using _health = health; // answers until the last request has ended
const answering = health.serveForever();
const report = await serve(lines, {
  shutdownDelay: Number(values["shutdown-delay"]),
});
await health.shutdown();
await answering;
console.log(`Stopped: ${JSON.stringify(report)}`);
