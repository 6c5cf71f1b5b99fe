/**
 * The handler of Python's socketserver tutorial, line by line: a handler that blocks its worker and has no `await`.
 *
 *     deno run --allow-net --allow-read examples/blocking_echo.ts [port] [host]
 *
 * Then talk to it with `nc localhost 9999`. Workers load this file, which needs --allow-read.
 */
import {
  AF_INET,
  AF_INET6,
  BlockingStreamRequestHandler,
  serve,
  ThreadingTCPServer,
} from "@socketserver/socketserver";

export class MyTCPHandler extends BlockingStreamRequestHandler {
  static readonly moduleUrl = import.meta.url;

  override handle() {
    const data = new TextDecoder().decode(this.rfile.readline(10000)).trim();
    console.log(`${this.clientAddress[0]} wrote:`);
    console.log(data);
    this.wfile.write(data.toUpperCase());
  }
}

if (import.meta.main) {
  const [port = "9999", host = "localhost"] = Deno.args;
  const address: [string, number] = [host, Number(port)];
  const server = new ThreadingTCPServer(address, MyTCPHandler, {
    addressFamily: host.includes(":") ? AF_INET6 : AF_INET,
  });
  console.log(`Listening on port ${server.serverAddress[1]}`);
  await serve(server, { timeout: 1 }); // until Ctrl-C
}
