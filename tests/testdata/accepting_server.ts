/**
 * A program whose workers accept, or, with the argument `children`, its children. It asks its server once, and closes it.
 *
 * @module
 */

import {
  createConnection,
  ForkingTCPServer,
  StreamRequestHandler,
  ThreadingTCPServer,
} from "../../mod.ts";

/** Echoes a line. */
export class Echo extends StreamRequestHandler {
  static readonly moduleUrl = import.meta.url;

  override async handle() {
    await this.wfile.write(await this.rfile.readline());
  }
}

if (import.meta.main) {
  const address = ["127.0.0.1", 0] as const;
  const server = Deno.args[0] === "children"
    ? new ForkingTCPServer(address, Echo, {
      acceptIn: "children",
      maxChildren: 1,
    })
    : new ThreadingTCPServer(address, Echo, {
      acceptIn: "workers",
      maxWorkers: 2,
    });
  const served = server.serveForever();
  const client = await createConnection(server.serverAddress);
  await client.sendall(new TextEncoder().encode("hello\n"));
  console.log(new TextDecoder().decode(await client.recv(100)).trimEnd());
  client.close();
  await server.waitForConnections(0);
  console.log(await server.serverClose());
  await served;
}
