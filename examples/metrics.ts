/**
 * Serves its metrics for Prometheus, beside an echo server.
 *
 *     deno run --allow-net examples/metrics.ts [host] [port] [port of the metrics]
 *
 * Then try `ncat localhost 9954`, and `curl localhost:9955/metrics`.
 */
import {
  AF_INET,
  AF_INET6,
  AsyncTCPServer,
  formatAddress,
  serve,
  StreamRequestHandler,
} from "@socketserver/socketserver";
import { ServerMetrics } from "@socketserver/socketserver/telemetry";

class Echo extends StreamRequestHandler {
  override async handle() {
    while (await this.waitForRequest()) {
      await this.wfile.write(await this.rfile.readline());
    }
  }
}

const [hostname = "localhost", port = "9954", metricsPort = "9955"] = Deno.args;
const addressFamily = hostname.includes(":") ? AF_INET6 : AF_INET;
const options = { addressFamily, reportLostClients: false };
const server = new AsyncTCPServer([hostname, Number(port)], Echo, options);
using metrics = new ServerMetrics(server);
const headers = { "content-type": ServerMetrics.contentType };
await using _web = Deno.serve(
  { hostname, port: Number(metricsPort), onListen() {} },
  () => new Response(metrics.prometheus(), { headers }),
);
console.log(`Listening on ${formatAddress(server.serverAddress)}`);
await serve(server, { timeout: 1 }); // until Ctrl-C
