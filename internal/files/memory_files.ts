/**
 * The ends of files in memory, for datagrams.
 *
 * @module
 */

import { joinBytes } from "../base/arguments.ts";
import type { ByteSink, ByteSource } from "./raw_streams.ts";

/** Bytes in memory, to read. */
export class BytesSource implements ByteSource {
  #rest: Uint8Array<ArrayBuffer>;

  /** @param bytes What there is to read. */
  constructor(bytes: Uint8Array<ArrayBuffer>) {
    this.#rest = bytes;
  }

  recv(n: number): Promise<Uint8Array<ArrayBuffer>> {
    const part = this.#rest.slice(0, n);
    this.#rest = this.#rest.subarray(n);
    return Promise.resolve(part);
  }

  recvInto(buffer: Uint8Array): Promise<number> {
    const part = this.#rest.subarray(0, buffer.length);
    buffer.set(part);
    this.#rest = this.#rest.subarray(part.length);
    return Promise.resolve(part.length);
  }
}

/** Collects bytes in memory. */
export class BytesSink implements ByteSink {
  #parts: Uint8Array[] = [];
  /**
   * Set when no more than one write will follow: it goes here, if it is all that there is. The array that it is
   * collected in otherwise costs 850 ns.
   */
  last: ((data: Uint8Array) => Promise<void>) | undefined;

  sendall(data: Uint8Array): Promise<void> {
    const { last } = this;
    if (last !== undefined && this.#parts.length === 0) {
      this.last = undefined;
      return last(data);
    }
    this.#parts.push(data.slice()); // the memory is the caller's again
    return Promise.resolve();
  }

  /** All that was written since the last time, in one array. */
  take(): Uint8Array {
    const parts = this.#parts;
    this.#parts = [];
    return parts.length === 1 ? parts[0] : joinBytes(parts);
  }
}
