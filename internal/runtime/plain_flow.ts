/**
 * A plain stream in the shape of Node's, for TLS over a connection of Deno's.
 *
 * @module
 */

import type { EventEmitter } from "node:events";
import type { Duplex } from "node:stream";
import { nodeEvents } from "./builtins.ts";

/** The stream under a TLS session. */
export interface PlainStream {
  /** Resolves to the next bytes; null at the end of the stream. */
  receive(): Promise<Uint8Array | null>;
  /** Sends all of `data`. */
  send(data: Uint8Array): Promise<void>;
  /** Closes. Bytes that were sent before still go out. */
  close(): void;
  /** Closes at once. */
  abort(): void;
}

/** A stream of Node, which may be closed at once. */
export type RawStream = Duplex & { abort?(): void };

type Callback = (error?: Error | null) => void;

type Listener = (...args: unknown[]) => void;

/** The members of a `Duplex` that `node:tls` uses. A real `Duplex` costs a quarter of the speed. */
class PlainFlow {
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
  /** The bytes that came while the flow was paused. */
  #held: Uint8Array | null | undefined;

  /** @param plain The stream to own. */
  constructor(plain: PlainStream) {
    this.#plain = plain;
  }

  on(name: string, listener: Listener): this {
    this.#events.on(name, listener);
    return this;
  }

  once(name: string, listener: Listener): this {
    this.#events.once(name, listener);
    return this;
  }

  removeListener(name: string, listener: Listener): this {
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
      while (this.#flowing && !this.destroyed && !this.readableEnded) {
        const bytes = this.#held === undefined
          ? await this.#plain.receive()
          : this.#held;
        this.#held = this.#flowing ? undefined : bytes;
        if (this.#flowing && !this.destroyed) this.#hand(bytes);
      }
    } catch (error) {
      this.#fail(error);
    } finally {
      this.#receiving = false;
    }
  }

  #hand(bytes: Uint8Array | null): void {
    if (bytes !== null) return void this.emit("data", bytes);
    this.readableEnded = true;
    this.emit("end");
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

/** Wraps a plain stream. The result owns the stream. */
export function plainFlow(plain: PlainStream): RawStream {
  return new PlainFlow(plain) as unknown as RawStream;
}
