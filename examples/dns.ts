/**
 * A name server for a zone file, over UDP and TCP on one port, with one handler class for both.
 *
 *     deno run --allow-net --allow-read examples/dns.ts [host] [port] [zone file] [seconds]
 *
 * Then try `dig @127.0.0.1 -p 9953 www.example.test`, the same with `+tcp`, `AAAA` or `+short`, or a query for
 * `big.example.test TXT`, which does not fit into a datagram. The server answers for its zone
 * only, without delegations, wildcards, transfers and recursion.
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
import { respond } from "./dns_message.ts";
import { parseZone } from "./dns_file.ts";
import type { Zone } from "./dns_zone.ts";

class DnsHandler extends DualRequestHandler {
  override timeout = Number(seconds); // for a client over TCP to ask, and take the answer
  override disableNagleAlgorithm = true;

  override async handle() {
    if (this.packet !== undefined) {
      await this.wfile.write(respond(zone, this.packet, true));
      return;
    }
    for (;;) { // RFC 1035, section 4.2.2: two bytes with the length, and the message
      this.socket.setdeadline(this.timeout); // for all of it, however it is divided
      if (!await this.waitForRequest()) return; // the client has no more to ask, or Ctrl-C
      const [high, low] = await this.rfile.read(2);
      if (low === undefined) return;
      const query = await this.rfile.readexactly(high << 8 | low);
      const answer = respond(zone, query, false);
      if (answer.length === 0) return await this.socket.lingeringClose();
      const length = [answer.length >> 8, answer.length & 0xff];
      await this.wfile.writelines([Uint8Array.from(length), answer]);
    }
  }
}

const [
  host = "localhost",
  port = "9953",
  path = new URL("example.zone", import.meta.url),
  seconds = "10",
] = Deno.args;
let zone: Zone;
try {
  zone = parseZone(await Deno.readTextFile(path));
  const options = {
    addressFamily: host.includes(":") ? AF_INET6 : AF_INET,
    reportLostClients: false,
  };
  const tcp = new AsyncTCPServer([host, Number(port)], DnsHandler, options);
  const udp = new AsyncUDPServer(tcp.serverAddress, DnsHandler, options);
  console.log(`Listening on ${formatAddress(tcp.serverAddress)}, UDP and TCP`);
  await serve([tcp, udp], { timeout: 1 }); // until Ctrl-C
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  Deno.exit(1);
}
