/**
 * A server as it runs in production: limits, an inherited socket, readiness, metrics, and a drain at SIGTERM. Put your
 * own handler in the place of `Lines`. docs/operating.md explains it; the other files of this directory start it.
 *
 *     deno run --allow-net deploy/server.ts [--host=0.0.0.0] [--port=9999] [--activated]
 *         [--health-host=<host>] [--health-port=8081] [--shutdown-delay=0] [--close-timeout=20]
 *
 * It answers each line with the line in capitals. With `--activated`, the socket is that of the service manager, with the
 * name "lines". On the health port, over HTTP, `/ready` is 200 while the server serves, and 404 once it stops; `/alive`
 * is 200 as long as the event loop turns; `/metrics` has the numbers of its status.
 */
import { parseArgs } from "node:util";
import {
  AsyncTCPServer,
  formatAddress,
  inheritedSocket,
  serve,
  StreamRequestHandler,
} from "@socketserver/socketserver";

const text = new TextDecoder();

class Lines extends StreamRequestHandler {
  override timeout = 60; // seconds for each read and write
  override lineLimit = 4096;

  /** Answers lines. At a drain the first line of a connection is still waited for, and the later ones are not. */
  override async handle() {
    let options = {};
    do {
      const line = await this.rfile.readline(options);
      if (line.length === 0) return;
      await this.wfile.write(text.decode(line).toUpperCase());
      options = { signal: this.signal };
    } while (!this.signal.aborted);
  }
}

/** Answers load balancers, Kubernetes and Prometheus. */
class Health extends StreamRequestHandler {
  override timeout = 5;

  override async handle() {
    const [, path] = text.decode(await this.rfile.readline()).split(" ");
    while ((await this.rfile.readline()).length > 2); // the fields of the request
    const { state } = lines.status;
    const found = path === "/ready" ? state === "serving" : path in pages;
    const body = pages[path]?.() ?? "";
    await this.wfile.write(
      `HTTP/1.1 ${found ? "200 OK" : "404 Not Found"}\r\n` +
        `Content-Type: text/plain; version=0.0.4\r\n` +
        `Content-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`,
    );
  }
}

const pages: Record<string, () => string> = {
  "/ready": () => `${lines.status.state}\n`,
  "/alive": () => `${lines.status.state}\n`,
  "/metrics": () => metrics("lines", { ...lines.status }),
};

/** Returns numbers, and those in objects, in the text format of Prometheus. */
function metrics(prefix: string, values: Record<string, unknown>): string {
  return Object.entries(values).map(([key, value]) => {
    const name = `${prefix}_${key.replace(/[A-Z]/g, "_$&").toLowerCase()}`;
    if (typeof value === "number") return `${name} ${value}\n`;
    return typeof value === "object" ? metrics(name, { ...value }) : "";
  }).join("");
}

const { values } = parseArgs({
  options: {
    "activated": { type: "boolean", default: false },
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
const address = values.activated
  ? inheritedSocket("lines")!
  : [values.host, Number(values.port)] as const;
const lines = new AsyncTCPServer(address, Lines, limits);
await using health = new AsyncTCPServer(
  [values["health-host"] ?? values.host, Number(values["health-port"])],
  Health,
  { maxConnections: 16, reportLostClients: false },
);
console.log(
  `Listening on ${formatAddress(lines.serverAddress)}, health on ${
    formatAddress(health.serverAddress)
  }`,
);
const answering = health.serveForever(); // until the last request has ended
const shutdownDelay = Number(values["shutdown-delay"]);
const report = await serve(lines, { shutdownDelay });
await health.shutdown();
await answering;
console.log(`Stopped: ${JSON.stringify(report)}`);
