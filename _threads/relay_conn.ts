/**
 * A connection whose other end is in the main thread, as a socket stands on it.
 *
 * @module
 */

import { osError } from "../_socket/errors.ts";
import type { StreamTransport, TransportAddr } from "../_socket/transport.ts";
import { Channel } from "./channel.ts";

/** One call that waits. */
interface Waiting<T> {
  readonly bytes: Uint8Array;
  readonly resolve: (value: T) => void;
  readonly reject: (error: unknown) => void;
}

/** A {@linkcode Channel} whose calls wait. As a socket makes them: one read and one write at a time. */
export class RelayConn extends Channel implements StreamTransport {
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

  #read(): void {
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
    this.#reading?.reject(osError("EBADF", { syscall: "recv" }));
    this.#reading = undefined;
  }
}
