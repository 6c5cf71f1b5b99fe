/**
 * Handlers that block, and forget to call `super.setup()`.
 *
 * @module
 */

import { BlockingStreamRequestHandler } from "../../mod.ts";

/** Uses a file. */
export class BlocksForgetful extends BlockingStreamRequestHandler {
  static readonly moduleUrl = import.meta.url;

  override setup(): void {}

  override handle(): void {
    this.rfile.readline();
  }
}

/** Uses none. */
export class BlocksForgetfulAtEnd extends BlockingStreamRequestHandler {
  static readonly moduleUrl = import.meta.url;

  override setup(): void {}
}

/** For another kind of server. */
export class BlocksForStreams extends BlockingStreamRequestHandler {
  static readonly moduleUrl = import.meta.url;
}
