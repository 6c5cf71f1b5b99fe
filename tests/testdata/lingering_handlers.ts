/**
 * Refuses uploads, whatever their size, before they have come.
 *
 * @module
 */

import {
  BlockingStreamRequestHandler,
  StreamRequestHandler,
} from "../../mod.ts";

const REFUSAL = [
  "HTTP/1.1 413 Content Too Large",
  "Connection: close",
  "Content-Type: text/plain",
  "Content-Length: 10\r\n\r\ntoo large\n",
].join("\r\n");

/** Refuses with promises. */
export class Refuses extends StreamRequestHandler {
  static readonly moduleUrl = import.meta.url;

  override async handle(): Promise<void> {
    await this.rfile.readuntil("\r\n\r\n");
    await this.wfile.write(REFUSAL);
    await this.request.lingeringClose();
  }
}

/** Refuses while it blocks its worker. */
export class RefusesBlocking extends BlockingStreamRequestHandler {
  static readonly moduleUrl = import.meta.url;

  override handle(): void {
    this.rfile.readuntil("\r\n\r\n");
    this.wfile.write(REFUSAL);
    this.request.lingeringClose();
  }
}
