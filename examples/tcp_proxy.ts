/**
 * A proxy that names its clients to the server behind it, with a header of the PROXY protocol.
 *
 *     deno run --allow-net examples/tcp_proxy.ts [host] [port] [server host] [server port]
 *
 * The server behind it may be HAProxy or nginx, or a server with `ProxyProtocolMixIn`.
 */
import {
  AF_INET,
  AF_INET6,
  AsyncTCPServer,
  BaseRequestHandler,
  createConnection,
  encodeProxyHeader,
  formatAddress,
  relay,
  serve,
} from "@socketserver/socketserver";

const [host = "localhost", port = "9980", toHost = "localhost", to = "9981"] =
  Deno.args;

class ProxyHandler extends BaseRequestHandler {
  override async handle() {
    const address = [toHost, Number(to)] as const;
    using upstream = await createConnection(address, { timeout: 10 });
    await upstream.sendall(encodeProxyHeader({
      source: this.clientAddress,
      destination: this.request.getsockname(),
      uniqueId: crypto.getRandomValues(new Uint8Array(16)),
      checksum: true,
    }));
    await relay(this.request, upstream, { timeout: 300 });
  }
}

const server = new AsyncTCPServer([host, Number(port)], ProxyHandler, {
  addressFamily: host.includes(":") ? AF_INET6 : AF_INET,
  reportLostClients: false,
});
console.log(`Listening on ${formatAddress(server.serverAddress)}`);
await serve(server, { timeout: 10 }); // until Ctrl-C
