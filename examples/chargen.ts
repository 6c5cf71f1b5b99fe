/**
 * Sends lines of all printable characters until the client leaves: RFC 864, over TCP. Over UDP an attacker
 * could forge the sender, and flood others with answers that are longer than the requests.
 *
 *     deno run --allow-net examples/chargen.ts [host] [port]
 *
 * Then try `ncat localhost 9919 | head`.
 */
import {
  AF_INET,
  AF_INET6,
  AsyncTCPServer,
  formatAddress,
  serve,
  StreamRequestHandler,
} from "@socketserver/socketserver";

const CHARACTERS = String.fromCharCode(...Array(95).keys().map((n) => n + 32));

class Chargen extends StreamRequestHandler {
  override wbufsize = -1; // collects lines
  override timeout = 60; // seconds for a client that does not read

  override async handle() {
    for (let first = 0; !this.signal.aborted; first = (first + 1) % 95) {
      const line = (CHARACTERS + CHARACTERS).slice(first, first + 72);
      await this.wfile.write(`${line}\r\n`);
    }
  }
}

const [host = "localhost", port = "9919"] = Deno.args;
const options = {
  addressFamily: host.includes(":") ? AF_INET6 : AF_INET,
  reportLostClients: false,
};
const server = new AsyncTCPServer([host, Number(port)], Chargen, options);
console.log(`Listening on ${formatAddress(server.serverAddress)}`);
await serve(server, { timeout: 1 }); // until Ctrl-C
