/**
 * The transport under a socket in a worker.
 *
 * @module
 */

import { type Bytes, copyOf } from "../base/memory.ts";
import { osError } from "../base/translate_error.ts";
import type {
  AbortableTransport,
  OwningTransport,
  TransportAddr,
} from "../runtime/transport/transport.ts";
import { WorkerStream } from "../channel/worker_stream.ts";

/** A pending read. */
interface Reading {
  /** Receives the bytes; undefined if they get memory of their own. */
  readonly into: Uint8Array | undefined;
  readonly resolve: (value: number | Bytes | null) => void;
  readonly reject: (error: unknown) => void;
}

/** A pending write. */
interface Writing {
  readonly bytes: Uint8Array;
  readonly resolve: (count: number) => void;
  readonly reject: (error: unknown) => void;
}

/** A {@linkcode WorkerStream} as a socket's transport: calls return promises, one read and one write at a time. */
export class WorkerStreamTransport extends WorkerStream
  implements OwningTransport, AbortableTransport {
  #reading: Reading | undefined;
  #writing: Writing | undefined;
  override onReadable = (): void => this.#read();
  override onWritable = (): void => this.#write();

  /** The address on this side. */
  get localAddr(): TransportAddr {
    return this.opening.localAddr;
  }

  /** The address on the other side. */
  get remoteAddr(): TransportAddr {
    return this.opening.remoteAddr!;
  }

  /** Reads into `p`. Resolves to the count of bytes, or null at the end of the stream. */
  read(p: Uint8Array): Promise<number | null> {
    return this.#wait(p);
  }

  /** Reads all bytes that have come, in memory of their own. Resolves to null at the end of the stream. */
  readOwn(): Promise<Bytes | null> {
    return this.#wait(undefined);
  }

  /** Drops the pending read. Bytes that come are kept. */
  stopReading(): void {
    this.#reading = undefined;
  }

  #wait<T extends number | Bytes | null>(
    into: Uint8Array | undefined,
  ): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.#reading = { into, resolve: resolve as Reading["resolve"], reject };
      if (this.readable) this.#read();
    });
  }

  #read(): void {
    const reading = this.#reading;
    if (reading === undefined) return;
    this.#reading = undefined;
    const { into } = reading;
    try {
      reading.resolve((into ? this.take(into) : this.takeOwn()) || null);
    } catch (error) {
      reading.reject(error);
    }
  }

  /** Passes bytes straight to the pending read. */
  protected override keep(payload: Uint8Array): void {
    const reading = this.#reading;
    const into = reading?.into;
    const { length } = payload;
    if (reading === undefined || into !== undefined && length > into.length) {
      return super.keep(payload);
    }
    this.#reading = undefined;
    this.credit(length);
    into?.set(payload);
    reading.resolve(into === undefined ? copyOf(payload, 0, length) : length);
  }

  /** Writes the start of `p`. Resolves to the count of bytes written. */
  write(p: Uint8Array): Promise<number> {
    try {
      const count = this.put(p);
      if (count > 0 || p.length === 0) return Promise.resolve(count);
    } catch (error) {
      return Promise.reject(error);
    }
    return new Promise((resolve, reject) => {
      this.#writing = { bytes: p, resolve, reject };
    });
  }

  #write(): void {
    const writing = this.#writing;
    if (writing === undefined) return;
    try {
      const count = this.put(writing.bytes);
      if (count === 0) return;
      writing.resolve(count);
    } catch (error) {
      writing.reject(error);
    }
    this.#writing = undefined;
  }

  /** Shuts the connection down for writing. */
  closeWrite(): Promise<void> {
    this.shutWrite();
    return Promise.resolve();
  }

  /** Closes the connection. Pending calls reject. */
  override close(): void {
    super.close();
    this.#endCalls();
  }

  /** Closes the connection at once. Bytes that are not sent yet are dropped, and pending calls reject. */
  override abort(): void {
    super.abort();
    this.#endCalls();
  }

  #endCalls(): void {
    this.#write();
    this.#reading?.reject(osError("EBADF", { syscall: "recv" }));
    this.#reading = undefined;
  }
}
