/**
 * Sends each client's bytes back in capitals: the first server of Python's socketserver tutorial.
 *
 *     deno run --allow-net examples/echo.ts [host] [port]
 *
 * Then talk to it with `nc localhost 9999`, or with `examples/echo_client.ts`.
 */
import {
  AF_INET,
  AF_INET6,
  AsyncTCPServer,
  BaseRequestHandler,
  formatAddress,
  serve,
} from "@socketserver/socketserver";

class UpperHandler extends BaseRequestHandler {
  override async handle() {
    while (await this.waitForRequest()) { // until the client ends its side, or Ctrl-C
      const data = await this.request.recv(65536);
      await this.request.sendall(data.map(upper));
    }
  }
}

const upper = (byte: number) => byte >= 97 && byte <= 122 ? byte - 32 : byte; // a-z

const [host = "localhost", port = "9999"] = Deno.args;
try {
  const server = new AsyncTCPServer([host, Number(port)], UpperHandler, {
    addressFamily: host.includes(":") ? AF_INET6 : AF_INET,
  });
  console.log(`Listening on ${formatAddress(server.serverAddress)}`);
  await serve(server, { timeout: 1 }); // until Ctrl-C
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  Deno.exit(1);
}
