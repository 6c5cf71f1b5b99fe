/**
 * A SOCKS5 proxy (RFC 1928) for CONNECT, without authentication: so listen on the loopback only.
 *
 *     deno run --allow-net examples/socks5.ts [host] [port]
 *
 * Then try `curl --proxy socks5h://localhost:1080 http://example.com`.
 */
import {
  AF_INET,
  AF_INET6,
  AsyncTCPServer,
  createConnection,
  formatAddress,
  inetNtop,
  relay,
  serve,
  StreamRequestHandler,
} from "@socketserver/socketserver";

class SocksHandler extends StreamRequestHandler {
  override rbufsize = 0; // relay() passes on what follows, so no file may hold it
  override timeout = 10;

  async #reply(code: number) {
    await this.wfile.write(Uint8Array.of(5, code, 0, 1, 0, 0, 0, 0, 0, 0));
  }

  /** Reads a request. Returns the address that the client wants; undefined if the proxy cannot do it. */
  async #request(): Promise<[string, number] | undefined> {
    const read = (count: number) => this.rfile.readexactly(count);
    const [, command, , type] = await read(4);
    const size = type === 1 ? 4 : type === 4 ? 16 : (await read(1))[0];
    const host = await read(size);
    const [high, low] = await read(2);
    if (command !== 1) return;
    const name = type === 3
      ? new TextDecoder().decode(host)
      : inetNtop(type === 1 ? AF_INET : AF_INET6, host);
    return [name, 256 * high + low];
  }

  override async handle() {
    const [version, methods] = await this.rfile.readexactly(2);
    if (version !== 5) return; // no SOCKS5
    await this.rfile.readexactly(methods);
    await this.wfile.write(Uint8Array.of(5, 0)); // no authentication
    const address = await this.#request();
    if (address === undefined) return await this.#reply(7);
    const connecting = createConnection(address, { timeout: 10 });
    using upstream = await connecting.catch(() => null);
    if (upstream === null) return await this.#reply(5);
    await this.#reply(0);
    await relay(this.connection, upstream, { timeout: 300 });
  }
}

const [host = "localhost", port = "1080"] = Deno.args;
const server = new AsyncTCPServer([host, Number(port)], SocksHandler, {
  addressFamily: host.includes(":") ? AF_INET6 : AF_INET,
  reportLostClients: false,
});
console.log(`Listening on ${formatAddress(server.serverAddress)}`);
await serve(server, { timeout: 10 }); // until Ctrl-C
