/**
 * A plain stream in the shape of Node's, for TLS over a connection of Deno's.
 *
 * @module
 */

import type { EventEmitter } from "node:events";
import type { Duplex } from "node:stream";
import { nodeEvents } from "../system/node_builtins.ts";

/** The stream under a TLS session. */
export interface PlainStream {
  /** Resolves to the next bytes; null at the end of the stream, undefined after `release`. */
  receive(): Promise<Uint8Array | null | undefined>;
  /** Sends all of `data`. */
  send(data: Uint8Array): Promise<void>;
  /** Closes. Bytes that were sent before still go out. */
  close(): void;
  /** Closes at once. */
  abort(): void;
  /** Receives nothing more, and puts received bytes back. */
  release(rest: Uint8Array | undefined): void;
}

/** A stream of Node. One over a plain stream has more methods. */
export type RawStream = Duplex & Partial<PlainOwner>;

/** The methods that a stream over a plain stream has besides those of Node. */
export interface PlainOwner {
  /** Closes at once, and drops the bytes that are not sent yet. */
  abort(): void;
  /** Stops after the last record of the session. */
  stopWhen(over: () => boolean): void;
  /** Hands over one record of TLS at a time from now on, and no longer closes the plain stream. */
  beginUnwrap(): void;
  /** Gives the plain stream away, with the bytes after the last record. */
  release(): void;
}

type Callback = (error?: Error | null) => void;

type StreamListener = (...args: unknown[]) => void;

/** The members of a `Duplex` that `node:tls` uses. A real `Duplex` costs a quarter of the speed. */
class PlainDuplex implements PlainOwner {
  readonly readable = true;
  readonly writable = true;
  readonly allowHalfOpen = true;
  readonly readableLength = 0;
  readableEnded = false;
  destroyed = false;
  readonly #plain: PlainStream;
  readonly #events: EventEmitter = new (nodeEvents())();
  #flowing = false;
  #receiving = false;
  /** The bytes that came while the flow was paused, or after the last record. */
  #held: Uint8Array | null | undefined;
  readonly #records = new RecordWalker();
  #over: () => boolean = () => false;
  #unwrapping = false;

  /** @param plain The stream to own. */
  constructor(plain: PlainStream) {
    this.#plain = plain;
  }

  on(name: string, listener: StreamListener): this {
    this.#events.on(name, listener);
    return this;
  }

  once(name: string, listener: StreamListener): this {
    this.#events.once(name, listener);
    return this;
  }

  removeListener(name: string, listener: StreamListener): this {
    this.#events.off(name, listener);
    return this;
  }

  emit(name: string, ...args: unknown[]): boolean {
    return this.#events.emit(name, ...args);
  }

  pause(): void {
    this.#flowing = false;
  }

  resume(): void {
    this.#flowing = true;
    this.#pump();
  }

  async #pump(): Promise<void> {
    if (this.#receiving) return;
    this.#receiving = true;
    try {
      while (this.#wanted) {
        const bytes = this.#held === undefined
          ? await this.#plain.receive()
          : this.#held;
        if (bytes === undefined) return; // released
        this.#held = bytes;
        if (this.#wanted) this.#deliver(bytes);
      }
    } catch (error) {
      this.#fail(error);
    } finally {
      this.#receiving = false;
    }
  }

  get #wanted(): boolean {
    return this.#flowing && !this.destroyed && !this.readableEnded &&
      !this.#over();
  }

  #deliver(bytes: Uint8Array | null): void {
    this.#held = undefined;
    if (bytes === null) {
      this.readableEnded = true;
      return void this.emit("end");
    }
    const end = this.#records.walk(bytes, this.#unwrapping);
    if (end < bytes.length) this.#held = bytes.subarray(end);
    this.emit("data", bytes.subarray(0, end));
  }

  stopWhen(over: () => boolean): void {
    this.#over = over;
  }

  beginUnwrap(): void {
    this.#unwrapping = true;
  }

  release(): void {
    this.destroyed = true;
    this.#plain.release(this.#held ?? undefined);
  }

  #fail(error: unknown): void {
    if (!this.destroyed) this.emit("error", error);
  }

  cork(): void {}

  uncork(): void {}

  write(data: Uint8Array, callback: Callback): boolean {
    this.#plain.send(data).then(() => callback(), (error) => {
      this.#fail(error); // `node:tls` (Deno 2.9.6) ignores the argument of the callback
      callback(error);
    });
    return true;
  }

  end(callback?: Callback): void {
    callback?.();
  }

  /** Closes in the next turn, because the alert with the reason is written after this call. */
  destroy(): void {
    if (this.destroyed) return;
    if (this.#unwrapping) return; // the plain stream goes on
    this.destroyed = true;
    setImmediate(() => {
      this.#plain.close();
      this.emit("close");
    });
  }

  /** Closes at once, and drops the bytes that are not sent yet. */
  abort(): void {
    this.destroyed = true;
    this.#plain.abort();
    this.emit("close");
  }
}

/** Finds the ends of the records of TLS. Source: RFC 8446, 5.1: a header of five bytes ends with the length. */
class RecordWalker {
  /** The number of bytes of the record's header that have come. */
  #header = 0;
  /** The number of bytes of the record that are still to come, after its header. */
  #left = 0;

  /** Walks through bytes. Returns the number to hand over: all, or the first record and no more. */
  walk(bytes: Uint8Array, onlyOne: boolean): number {
    let at = 0;
    while (at < bytes.length) {
      if (this.#header < 5) {
        const byte = bytes[at++];
        if (this.#header === 3) this.#left = byte << 8;
        else if (this.#header === 4) this.#left += byte;
        this.#header++;
        continue;
      }
      const count = Math.min(this.#left, bytes.length - at);
      at += count;
      this.#left -= count;
      if (this.#left > 0) break;
      this.#header = 0;
      if (onlyOne) break;
    }
    return at;
  }
}

/** Wraps a plain stream. The result owns the stream. */
export function wrapPlainStream(plain: PlainStream): RawStream {
  return new PlainDuplex(plain) as unknown as RawStream;
}
