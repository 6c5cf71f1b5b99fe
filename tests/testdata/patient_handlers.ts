/** A handler for clients that may say nothing. */

import { StreamRequestHandler } from "../../handlers.ts";

/** Answers with the first line, or with all there is of it; waits for it for as long as a busy machine takes for a handshake. */
export class Patient extends StreamRequestHandler {
  static readonly moduleUrl = import.meta.url;
  override timeout = 3;

  override async handle() {
    await this.wfile.write(await this.rfile.readline());
  }
}
