/**
 * A web server for a directory: HTTP/1.1 on `StreamRequestHandler`, in the spirit of Python's
 * `http.server`. It sends posted bodies back.
 *
 *     deno run --allow-net --allow-read examples/http.ts [host] [port] [directory] [seconds]
 *
 * A client has 10 seconds to send a request, unless the command names another number. Then open
 * <http://localhost:8000/>, or try `curl -d hello http://localhost:8000/`.
 */
import {
  AF_INET,
  AF_INET6,
  AsyncTCPServer,
  formatAddress,
  serve,
} from "@socketserver/socketserver";
import { FileHTTPRequestHandler } from "./http/file_handler.ts";

const [host = "localhost", port = "8000", directory = ".", seconds = "10"] =
  Deno.args;

class Handler extends FileHTTPRequestHandler {
  override timeout = Number(seconds);

  /** Sends the body back, in chunks if it came in chunks. */
  async doPOST() {
    const body = await this.body.bytes();
    const type = this.headers.get("content-type") ?? "text/plain";
    const chunked = this.headers.has("transfer-encoding");
    const headers = { "Content-Type": type };
    await this.respond(200, headers, chunked ? pieces(body) : body);
  }
}

async function* pieces(body: Uint8Array) {
  for (let start = 0; start < body.length; start += 16384) {
    yield body.subarray(start, start + 16384);
  }
}

try {
  Handler.directory = await Deno.realPath(directory);
  const options = {
    addressFamily: host.includes(":") ? AF_INET6 : AF_INET,
    reportLostClients: false,
    requestQueueSize: 1024,
  };
  const server = new AsyncTCPServer([host, Number(port)], Handler, options);
  console.log(`Listening on ${formatAddress(server.serverAddress)}`);
  await serve(server, { timeout: 5 }); // until Ctrl-C
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  Deno.exit(1);
}
