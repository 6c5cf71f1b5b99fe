/**
 * A TLS session of `node:tls` in the shape of `Deno.Conn`.
 *
 * @module
 */

import type { TLSSocket } from "node:tls";
import { type Bytes, joinBytes } from "../../base/memory.ts";
import { nextTurn } from "../../waiting/turns.ts";
import {
  abortTransport,
  cancelledWrite,
  interrupted,
  type StreamTransport,
  type TransportAddr,
} from "../transport/transport.ts";
import type { RawStream } from "./plain_duplex.ts";
import { eofError, sslError, tlsError } from "./tls_errors.ts";
import {
  type HandshakeOptions,
  type SessionOwner,
  shakeHandsWithin,
} from "./tls_handshake.ts";
import { holdBack, isEnded, letCome, onEof } from "./tls_native.ts";

/** The most bytes that wait for a read before the peer is held back: the size of one read of the system. */
const WAITING_MAX = 65_536;

/**
 * The most bytes that are joined for one read, so that a program that answers them writes once: the size of a record. To
 * join 64 KiB, and to write them as one, costs more than four reads and writes.
 */
const JOINED_MAX = 16_384;

/** The settings of a session. */
export interface TlsStreamOptions extends HandshakeOptions {
  /** The connection under the session. */
  readonly raw: RawStream;
  /** The transport that had the connection before, for its options. */
  readonly transport: StreamTransport;
  readonly localAddr: TransportAddr;
  readonly remoteAddr: TransportAddr;
  /** Whether an end without a close_notify counts as the end of the stream. */
  readonly suppressRaggedEofs: boolean;
  /** The seconds that the handshake may take. */
  readonly handshakeTimeout: number | null;
}

/**
 * Reads and writes a TLS session, and owns it. The handshake begins with the first call that needs it. A waiting call
 * gets new bytes at once; other bytes wait for the next call.
 */
export class TlsStream implements StreamTransport, SessionOwner {
  readonly localAddr: TransportAddr;
  readonly remoteAddr: TransportAddr;
  readonly #options: TlsStreamOptions;
  #handshake: Promise<void> | undefined;
  #tls: TLSSocket | undefined;
  #waiting: Bytes[] = [];
  #size = 0;
  #paused = false;
  /** Ends the read that waits. A rejected promise makes it fail: a function for that would take 64 bytes when idle. */
  #resolve: ((bytes: Bytes | null | Promise<never>) => void) | undefined;
  #ended = false;
  #ragged = false;
  #failure: unknown;
  #closed = false;

  /** @param options The connection, which `close` closes, and the settings. */
  constructor(options: TlsStreamOptions) {
    this.#options = options;
    this.localAddr = options.localAddr;
    this.remoteAddr = options.remoteAddr;
    options.raw.on("error", ignore);
  }

  /** The session, once the handshake has ended. */
  get session(): TLSSocket | undefined {
    return this.#tls;
  }

  /** Makes the handshake, once for all calls. A failure closes the connection. */
  handshake(): Promise<void> {
    return this.#handshake ??= this.#begin();
  }

  async #begin(): Promise<void> {
    const { raw, handshakeTimeout } = this.#options;
    try {
      this.#attach(
        await shakeHandsWithin(handshakeTimeout, raw, this.#options, this),
      );
    } catch (error) {
      throw this.#closed ? interrupted() : error;
    }
  }

  #attach(tls: TLSSocket): void {
    this.#tls = tls;
    onEof(tls, (notified) => this.#ragged = !notified);
    this.#options.raw.stopWhen?.(() => isEnded(tls));
    tls.on(
      "data",
      (chunk: Uint8Array<ArrayBuffer>) => this.#arrive(chunk),
    );
    tls.on("end", () => this.onClose());
  }

  onFailure(error: unknown): void {
    this.#failure ??= tlsError(error, "recv");
    this.#wake();
  }

  onClose(): void {
    this.#ended = true;
    this.#wake();
  }

  #arrive({ buffer, byteOffset, length }: Bytes): void {
    const bytes = new Uint8Array(buffer, byteOffset, length); // no Buffer: its slice() does not copy
    const resolve = this.#resolve;
    if (resolve !== undefined) { // no other bytes wait then
      this.#resolve = undefined;
      return resolve(bytes);
    }
    this.#waiting.push(bytes);
    this.#size += length;
    if (this.#size < WAITING_MAX || this.#paused) return;
    this.#paused = true;
    holdBack(this.#options.raw);
  }

  /** Returns the next bytes; null at the end, undefined if there are none yet. */
  #take(): Bytes | null | undefined {
    if (this.#waiting.length > 0) return this.#takeWaiting();
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#closed) throw interrupted();
    return this.#ended ? this.#endOfStream() : undefined;
  }

  /** Takes the first chunk that waits, joined with the next ones if that costs less than reads of their own. */
  #takeWaiting(): Bytes {
    let count = 1;
    let size = this.#waiting[0].length;
    for (; count < this.#waiting.length; count++) {
      if (size + this.#waiting[count].length > JOINED_MAX) break;
      size += this.#waiting[count].length;
    }
    const chunks = this.#waiting.splice(0, count);
    this.#size -= size;
    if (this.#paused && this.#size < WAITING_MAX) {
      this.#paused = false;
      letCome(this.#options.raw);
    }
    return count === 1 ? chunks[0] : joinBytes(chunks);
  }

  #endOfStream(): null {
    if (!this.#ragged || this.#options.suppressRaggedEofs) return null;
    const text = "the peer closed the connection without a close_notify";
    throw eofError(text, { syscall: "recv" });
  }

  /** Reads the next bytes; null at the end of the stream. The caller owns the memory. */
  readOwn(): Promise<Bytes | null> {
    return this.#tls === undefined ? this.#readFirst() : this.#read();
  }

  async #readFirst(): Promise<Bytes | null> {
    await this.handshake();
    return await this.#read();
  }

  #read(): Promise<Bytes | null> {
    try {
      const chunk = this.#take();
      if (chunk !== undefined) return Promise.resolve(chunk);
    } catch (error) {
      return Promise.reject(error);
    }
    return new Promise((resolve) => this.#resolve = resolve);
  }

  /** Ends the read that waits, if there is one, with the bytes that have come. */
  #wake(): void {
    const resolve = this.#resolve;
    if (resolve === undefined) return;
    try {
      const chunk = this.#take();
      if (chunk === undefined) return;
      this.#resolve = undefined;
      resolve(chunk);
    } catch (error) {
      this.#resolve = undefined;
      resolve(Promise.reject(error));
    }
  }

  async read(p: Uint8Array): Promise<number | null> {
    const chunk = await this.readOwn();
    if (chunk === null) return null;
    const count = Math.min(chunk.length, p.length);
    p.set(chunk.subarray(0, count));
    if (count < chunk.length) {
      this.#waiting.unshift(chunk.subarray(count));
      this.#size += chunk.length - count;
    }
    return count;
  }

  write(p: Uint8Array): Promise<number> {
    const tls = this.#tls;
    return tls === undefined ? this.#writeFirst(p) : this.#write(tls, p);
  }

  async #writeFirst(p: Uint8Array): Promise<number> {
    await this.handshake();
    return await this.#write(this.#tls!, p);
  }

  #write(tls: TLSSocket, p: Uint8Array): Promise<number> {
    return new Promise((resolve, reject) => {
      if (this.#failure !== undefined) throw this.#failure;
      if (tls.destroyed) {
        throw new Deno.errors.BrokenPipe("the connection is gone");
      }
      tls.write(p, (error) => {
        if (error == null) resolve(p.length);
        else reject(this.#writeFailure(error));
      });
    });
  }

  /** Translates the error of a write, such as ECANCELED if the connection has ended (Deno 2.9.6). */
  #writeFailure(error: Error): unknown {
    if (this.#failure !== undefined) return this.#failure;
    return /ECANCELED|EPIPE|destroyed/.test(error.message)
      ? cancelledWrite(this.#closed)
      : tlsError(error, "send");
  }

  async closeWrite(): Promise<void> {
    await this.handshake();
    await new Promise<void>((resolve) => this.#tls!.end(resolve));
  }

  /**
   * Ends the session on both sides and gives the stream under it away. The connection stays open.
   *
   * @param unread Whether unread data of the peer waits already.
   * @throws {SSLError} if there is such data instead of a close_notify.
   */
  async unwrap(unread: boolean): Promise<void> {
    const { raw } = this.#options;
    raw.beginUnwrap!();
    await this.closeWrite();
    if (unread || await this.readOwn() !== null) {
      const reason = "APPLICATION_DATA_AFTER_CLOSE_NOTIFY";
      const text = "the peer has sent data that nobody has read";
      throw sslError(reason, text, { syscall: "unwrap" });
    }
    await nextTurn(); // the close_notify is on its way
    raw.release!();
  }

  /** Sends a close_notify and closes. */
  close(): void {
    this.#closed = true;
    if (this.#tls === undefined) this.#options.raw.destroy();
    else this.#tls.destroySoon();
    this.#wake();
  }

  /** Closes at once. The peer sees a reset, or an end without a close_notify. */
  abort(): void {
    this.#closed = true;
    const { raw, transport } = this.#options;
    if (raw.abort === undefined) abortTransport(transport);
    else raw.abort();
    this.#tls?.destroy();
    this.#wake();
  }

  setNoDelay(on?: boolean): void {
    this.#options.transport.setNoDelay?.(on);
  }

  setKeepAlive(on?: boolean): void {
    this.#options.transport.setKeepAlive?.(on);
  }
}

/** Ignores an error of the connection: the session reports it. */
function ignore(): void {}
