/**
 * A connection whose other end is in the main thread, as a socket stands on it.
 *
 * @module
 */

import { osError } from "../_socket/errors.ts";
import type { OwningTransport } from "../_socket/read_buffer.ts";
import type { TransportAddr } from "../_socket/transport.ts";
import { Channel } from "./channel.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** One call that waits. */
interface Waiting<T> {
  readonly bytes: Uint8Array;
  readonly resolve: (value: T) => void;
  readonly reject: (error: unknown) => void;
}

/** A read that waits, and takes memory of its own. */
type WaitingOwn = Omit<Waiting<Bytes | null>, "bytes">;

/** A {@linkcode Channel} whose calls wait. As a socket makes them: one read and one write at a time. */
export class RelayConn extends Channel implements OwningTransport {
  #readingOwn: WaitingOwn | undefined;
  #reading: Waiting<number | null> | undefined;
  #writing: Waiting<number> | undefined;
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

  /** Reads into `p`; resolves to the count, or null at the end of the stream. */
  read(p: Uint8Array): Promise<number | null> {
    return new Promise((resolve, reject) => {
      this.#reading = { bytes: p, resolve, reject };
      if (this.readable) this.#read();
    });
  }

  /** Reads what there is, in memory of its own; null at the end of the stream. */
  readOwn(): Promise<Bytes | null> {
    return new Promise((resolve, reject) => {
      this.#readingOwn = { resolve, reject };
      if (this.readable) this.#readOwn();
    });
  }

  #readOwn(): void {
    const reading = this.#readingOwn;
    if (reading === undefined) return;
    this.#readingOwn = undefined;
    try {
      reading.resolve(this.takeOwn() ?? null);
    } catch (error) {
      reading.reject(error);
    }
  }

  #read(): void {
    if (this.#readingOwn !== undefined) return this.#readOwn();
    const reading = this.#reading;
    if (reading === undefined) return;
    this.#reading = undefined;
    try {
      reading.resolve(this.take(reading.bytes) || null);
    } catch (error) {
      reading.reject(error);
    }
  }

  /** Puts bytes straight where a read waits for them. */
  protected override keep(payload: Uint8Array): void {
    const own = this.#readingOwn;
    if (own !== undefined) {
      this.#readingOwn = undefined;
      this.credit(payload.length);
      return own.resolve(new Uint8Array(payload));
    }
    const reading = this.#reading;
    if (reading === undefined || payload.length > reading.bytes.length) {
      return super.keep(payload);
    }
    this.#reading = undefined;
    reading.bytes.set(payload);
    this.credit(payload.length);
    reading.resolve(payload.length);
  }

  /** Writes the start of `p`; resolves to the count taken. */
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

  /** Ends the direction of writing. */
  closeWrite(): Promise<void> {
    this.shutWrite();
    return Promise.resolve();
  }

  /** Closes the connection; calls that wait end with an error. */
  override close(): void {
    super.close();
    this.#write();
    const reading = this.#reading ?? this.#readingOwn;
    reading?.reject(osError("EBADF", { syscall: "recv" }));
    this.#reading = this.#readingOwn = undefined;
  }
}
