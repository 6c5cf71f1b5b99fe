/**
 * Sources and sinks in memory, for the files of datagrams.
 *
 * @module
 */

import { joinBytes } from "../base/memory.ts";
import type { ByteSink, ByteSource } from "./raw_streams.ts";

/** A source of bytes in memory. */
export class BytesSource implements ByteSource {
  #rest: Uint8Array<ArrayBuffer>;

  /** @param bytes The bytes to read. */
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

/** A sink that collects bytes in memory. */
export class BytesSink implements ByteSink {
  #parts: Uint8Array[] = [];
  /**
   * Set when at most one write will follow. A write that is the only one goes to this function: collecting it in an
   * array costs 850 ns.
   */
  last: ((data: Uint8Array) => Promise<void>) | undefined;

  sendall(data: Uint8Array): Promise<void> {
    const { last } = this;
    if (last !== undefined && this.#parts.length === 0) {
      this.last = undefined;
      return last(data);
    }
    this.#parts.push(data.slice()); // the caller may reuse its memory
    return Promise.resolve();
  }

  /** Takes all bytes written since the last call, in one array. */
  take(): Uint8Array {
    const parts = this.#parts;
    this.#parts = [];
    return parts.length === 1 ? parts[0] : joinBytes(parts);
  }
}
