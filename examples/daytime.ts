/**
 * Sends the time, over TCP and UDP: RFC 867.
 *
 *     deno run --allow-net examples/daytime.ts [host] [port]
 *
 * Then try `ncat localhost 9913`, or `socat - UDP4:127.0.0.1:9913` and type any line.
 */
import {
  AF_INET,
  AF_INET6,
  AsyncTCPServer,
  AsyncUDPServer,
  DualRequestHandler,
  formatAddress,
  serve,
} from "@socketserver/socketserver";

class Daytime extends DualRequestHandler {
  override async handle() {
    await this.wfile.write(`${new Date().toUTCString()}\r\n`);
  }
}

const [host = "localhost", port = "9913"] = Deno.args;
const options = {
  addressFamily: host.includes(":") ? AF_INET6 : AF_INET,
  reportLostClients: false,
};
const tcp = new AsyncTCPServer([host, Number(port)], Daytime, options);
const udp = new AsyncUDPServer(tcp.serverAddress, Daytime, options);
console.log(`Listening on ${formatAddress(tcp.serverAddress)}, TCP and UDP`);
await serve([tcp, udp], { timeout: 1 }); // until Ctrl-C
