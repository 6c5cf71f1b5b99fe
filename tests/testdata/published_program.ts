/**
 * Serves in all four ways to run, as a program that imports the library from a registry. `tests/project/published_test.ts`
 * serves this file over HTTP, or puts it into a folder, with the address of the library in place of its name.
 */

import {
  AsyncTCPServer,
  createConnection,
  ForkingTCPServer,
  StreamRequestHandler,
  TCPServer,
  ThreadingTCPServer,
} from "@socketserver/socketserver";

export class Upper extends StreamRequestHandler {
  static readonly moduleUrl = import.meta.url;

  override async handle() {
    const line = new TextDecoder().decode(await this.rfile.readline());
    await this.wfile.write(line.toUpperCase());
  }
}

if (import.meta.main) {
  const classes = [
    TCPServer,
    AsyncTCPServer,
    ThreadingTCPServer,
    ForkingTCPServer,
  ];
  for (const Server of classes) {
    await using server = new Server(["127.0.0.1", 0], Upper);
    server.serveForever();
    using client = await createConnection(server.serverAddress);
    await client.sendall(new TextEncoder().encode(`${Server.name}\n`));
    console.log(new TextDecoder().decode(await client.recv(100)).trim());
  }
}
