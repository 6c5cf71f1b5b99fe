/** Handlers of servers over TLS, for all ways to run them. */

import {
  type BlockingSSLSocket,
  BlockingStreamRequestHandler,
  StreamRequestHandler,
} from "../../mod.ts";
import type { SSLSocket } from "../../ssl.ts";

/** Returns what a handler knows of the session. */
function factsOf(request: object): string {
  if (!("getpeercert" in request)) return "no TLS\n";
  const socket = request as SSLSocket | BlockingSSLSocket;
  const certificate = socket.getpeercert(true);
  return `${
    JSON.stringify({
      version: socket.version(),
      cipher: socket.cipher(),
      alpn: socket.selectedAlpnProtocol(),
      peer: socket.getpeercert(),
      der: certificate?.toHex() ?? null,
    })
  }\n`;
}

const isQuestion = (line: Uint8Array) =>
  new TextDecoder().decode(line) === "facts\n";

/** Sends each line back. Answers the line `facts` with what is known of the session. */
export class TlsLines extends StreamRequestHandler {
  static readonly moduleUrl = import.meta.url;

  override async handle() {
    for await (const line of this.rfile) {
      await this.wfile.write(isQuestion(line) ? factsOf(this.request) : line);
    }
  }
}

/** The same, and blocks. */
export class BlockingTlsLines extends BlockingStreamRequestHandler {
  static readonly moduleUrl = import.meta.url;

  override handle() {
    for (const line of this.rfile) {
      this.wfile.write(isQuestion(line) ? factsOf(this.request) : line);
    }
  }
}
