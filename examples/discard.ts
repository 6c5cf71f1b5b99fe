/**
 * Reads and discards bytes, over TCP and UDP, and sends nothing: RFC 863.
 *
 *     deno run --allow-net examples/discard.ts [host] [port]
 *
 * Then try `head -c 100M /dev/zero | ncat localhost 9909`.
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

class Discard extends DualRequestHandler {
  override timeout = 60; // seconds in which nothing comes

  override async handle() {
    while ((await this.rfile.read1()).length > 0);
  }
}

const [host = "localhost", port = "9909"] = Deno.args;
const options = {
  addressFamily: host.includes(":") ? AF_INET6 : AF_INET,
  reportLostClients: false,
};
const tcp = new AsyncTCPServer([host, Number(port)], Discard, options);
const udp = new AsyncUDPServer(tcp.serverAddress, Discard, options);
console.log(`Listening on ${formatAddress(tcp.serverAddress)}, TCP and UDP`);
await serve([tcp, udp], { timeout: 1 }); // until Ctrl-C
