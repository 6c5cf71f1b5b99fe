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

const text = (line: Uint8Array) => new TextDecoder().decode(line);

/**
 * Sends each line back. Answers the line `facts` with what is known of the session, and sends all back that comes after
 * the line `raw`.
 */
export class TlsLines extends StreamRequestHandler {
  static readonly moduleUrl = import.meta.url;

  override async handle() {
    for await (const line of this.rfile) {
      const facts = text(line) === "facts\n";
      await this.wfile.write(facts ? factsOf(this.request) : line);
      if (text(line) === "raw\n") return await this.#echo();
    }
  }

  async #echo(): Promise<void> {
    for (;;) {
      const data = await this.request.recv(65536);
      if (data.length === 0) return;
      await this.request.sendall(data);
    }
  }
}

/** The same, and blocks. */
export class BlockingTlsLines extends BlockingStreamRequestHandler {
  static readonly moduleUrl = import.meta.url;

  override handle() {
    for (const line of this.rfile) {
      const facts = text(line) === "facts\n";
      this.wfile.write(facts ? factsOf(this.request) : line);
      if (text(line) === "raw\n") return this.#echo();
    }
  }

  #echo(): void {
    for (;;) {
      const data = this.request.recv(65536);
      if (data.length === 0) return;
      this.request.sendall(data);
    }
  }
}
