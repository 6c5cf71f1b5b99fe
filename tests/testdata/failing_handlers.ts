/**
 * Handlers that end with errors of each kind, for those who meet these on the other side of a worker or process.
 *
 * @module
 */

import {
  BlockingStreamRequestHandler,
  ConnectionResetError,
  GaiError,
  StreamRequestHandler,
} from "../../mod.ts";

/** Ends as its first line says. */
export class Fails extends StreamRequestHandler {
  static readonly moduleUrl = import.meta.url;
  override lineLimit = 100;

  override async handle() {
    const how = new TextDecoder().decode(await this.rfile.readline()).trimEnd();
    if (how === "exactly") await this.rfile.readexactly(9);
    if (how === "until") await this.rfile.readuntil(";");
    if (how === "line") await this.rfile.readline();
    throw failure(how);
  }
}

/** The same, blocking its worker. */
export class BlockingFails extends BlockingStreamRequestHandler {
  static readonly moduleUrl = import.meta.url;
  override lineLimit = 100;

  override handle() {
    const how = new TextDecoder().decode(this.rfile.readline()).trimEnd();
    if (how === "exactly") this.rfile.readexactly(9);
    if (how === "until") this.rfile.readuntil(";");
    if (how === "line") this.rfile.readline();
    throw failure(how);
  }
}

function failure(how: string): unknown {
  const gai = new GaiError("no such name", -2, { code: "EAI_NONAME" });
  if (how === "late") return new DOMException("too late", "TimeoutError");
  if (how === "gai") return gai;
  if (how === "lost") return new Deno.errors.NotFound("lost");
  if (how === "both") return new SuppressedError(new URIError("2"), gai, "two");
  if (how === "none") return new AggregateError([], "none", { cause: gai });
  class Gone extends ConnectionResetError {}
  return new Gone("gone", { code: "ECONNRESET", syscall: "recv" });
}
