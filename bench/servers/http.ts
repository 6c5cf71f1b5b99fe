/**
 * A small answer, and the files of a directory, with the handlers of examples/http.ts.
 *
 *     deno run -A servers/http.ts port directory
 *
 * @module
 */

import { AsyncTCPServer } from "@socketserver/socketserver";
import { FileHTTPRequestHandler } from "../../examples/http/file_handler.ts";

const [port = "0", directory = "."] = Deno.args;

class Handler extends FileHTTPRequestHandler {
  static override directory = directory;

  override async doGET() {
    if (this.path !== "/") return await super.doGET();
    await this.respond(200, { "Content-Type": "text/plain" }, "hello, world\n");
  }
}

const address: [string, number] = ["127.0.0.1", Number(port)];
const server = new AsyncTCPServer(address, Handler, {
  reportLostClients: false,
});
console.log(server.serverAddress[1]);
await server.serveForever();
