/**
 * A plain stream in the shape of Node's, for TLS over a connection of Deno's.
 *
 * @module
 */

import type { Duplex } from "node:stream";
import { nodeStream } from "./builtins.ts";

/** The stream under a TLS session. */
export interface PlainStream {
  /** Resolves to the next bytes; null at the end of the stream. */
  receive(): Promise<Uint8Array | null>;
  /** Sends all of `data`. */
  send(data: Uint8Array): Promise<void>;
  /** Closes. Bytes that were sent before still go out. */
  close(): void;
}

/** Wraps a plain stream, which the result owns. */
export function duplexOver(plain: PlainStream): Duplex {
  const done = (
    promise: Promise<void>,
    callback: (error?: Error | null) => void,
  ) => void promise.then(() => callback(), callback);
  return new (nodeStream().Duplex)({
    allowHalfOpen: true,
    read() {
      plain.receive().then((bytes) => this.push(bytes), (error) => {
        this.destroy(error);
      });
    },
    write: (chunk, _encoding, callback) => done(plain.send(chunk), callback),
    destroy(error, callback) {
      plain.close();
      callback(error);
    },
  });
}
