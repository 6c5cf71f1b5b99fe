/**
 * A connection in memory: its two directions and its two ends.
 *
 * @module
 */

import { osError } from "../base/translate_error.ts";
import { memory } from "../base/memory.ts";
import type {
  AbortableTransport,
  TransportAddr,
} from "../runtime/transport/transport.ts";
import { Condition } from "./condition.ts";

/**
 * One direction of a connection: the bytes that one end has sent and the other has not received. If the pipe is full, a
 * write waits. Each end closes its side.
 */
export class MemoryPipe {
  readonly #size: number;
  /** The bytes, from `#start` on, round the end of the memory. Made at the first write. */
  #ring: Uint8Array | undefined;
  #start = 0;
  #count = 0;
  #ended = false;
  #reset: "unseen" | "seen" | undefined;
  #readerClosed = false;
  readonly #changed = new Condition();
  #stalled = false;
  /** The most bytes of one read. */
  pieceSize = Infinity;

  /** @param size The most bytes that it holds. */
  constructor(size: number) {
    this.#size = size;
  }

  /** The number of bytes sent and not received. */
  get count(): number {
    return this.#count;
  }

  /** Whether bytes are held back. */
  get stalled(): boolean {
    return this.#stalled;
  }

  set stalled(stalled: boolean) {
    this.#stalled = stalled;
    this.#changed.notifyAll();
  }

  /** Receives the bytes that have arrived, and waits if there are none; null at the end. */
  async read(p: Uint8Array): Promise<number | null> {
    for (;;) {
      if (this.#readerClosed) throw closed("recv");
      if (!this.#stalled && this.#count > 0) return this.#take(p);
      if (this.#reset === "unseen") {
        this.#reset = "seen"; // as in Linux: the next read is at the end
        throw osError("ECONNRESET", { syscall: "recv" });
      }
      if (this.#ended && (this.#reset || !this.#stalled)) return null;
      await this.#changed.wait();
    }
  }

  #take(p: Uint8Array): number {
    const ring = this.#ring!;
    const count = Math.min(p.length, this.#count, this.pieceSize);
    const first = ring.subarray(this.#start, this.#start + count);
    p.set(first);
    p.set(ring.subarray(0, count - first.length), first.length);
    this.#start = (this.#start + count) % this.#size;
    this.#count -= count;
    this.#changed.notifyAll();
    return count;
  }

  /** Sends as many bytes as fit, and waits if there is no room. */
  async write(p: Uint8Array): Promise<number> {
    for (;;) {
      if (this.#ended) throw closed("send");
      if (this.#readerClosed) throw osError("EPIPE", { syscall: "send" });
      if (p.length === 0) return 0;
      if (this.#count < this.#size) return this.#put(p);
      await this.#changed.wait();
    }
  }

  #put(p: Uint8Array): number {
    const ring = this.#ring ??= memory(this.#size);
    const count = Math.min(p.length, this.#size - this.#count);
    const at = (this.#start + this.#count) % this.#size;
    const first = p.subarray(0, Math.min(count, this.#size - at));
    ring.set(first, at);
    ring.set(p.subarray(first.length, count));
    this.#count += count;
    this.#changed.notifyAll();
    return count;
  }

  /** Ends the direction: the reader gets the bytes that were sent, and then the end. */
  end(): void {
    this.#ended = true;
    this.#changed.notifyAll();
  }

  /** Ends the direction with an error, unless it has ended. Bytes that a stall has held back are lost. */
  reset(): void {
    if (!this.#ended) this.#reset = "unseen";
    this.#ended = true;
    if (this.#stalled) this.#count = 0;
    this.#changed.notifyAll();
  }

  /** Closes the side of the reader: writes fail. */
  closeReader(): void {
    this.#readerClosed = true;
    this.#changed.notifyAll();
  }
}

/** A transport over two pipes. Closes as a system does: with bytes unread, the other end sees a reset. */
export class MemoryStream implements AbortableTransport {
  readonly localAddr: TransportAddr;
  readonly remoteAddr: TransportAddr;
  /** The pipe that this end reads. */
  readonly incoming: MemoryPipe;
  /** The pipe that this end writes. */
  readonly outgoing: MemoryPipe;
  #closed = false;

  /**
   * @param incoming The pipe to read.
   * @param outgoing The pipe to write.
   * @param localAddr The address of this end.
   * @param remoteAddr The address of the other end.
   */
  constructor(
    incoming: MemoryPipe,
    outgoing: MemoryPipe,
    localAddr: TransportAddr,
    remoteAddr: TransportAddr,
  ) {
    this.incoming = incoming;
    this.outgoing = outgoing;
    this.localAddr = localAddr;
    this.remoteAddr = remoteAddr;
  }

  read(p: Uint8Array): Promise<number | null> {
    return this.incoming.read(p);
  }

  write(p: Uint8Array): Promise<number> {
    return this.outgoing.write(p);
  }

  closeWrite(): Promise<void> {
    if (this.#closed) return Promise.reject(closed("shutdown"));
    this.outgoing.end();
    return Promise.resolve();
  }

  close(): void {
    if (this.incoming.count > 0) return this.abort();
    if (this.#closed) return;
    this.#closed = true;
    this.outgoing.end();
    this.incoming.closeReader();
  }

  /** Resets the connection. */
  abort(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.outgoing.reset();
    this.incoming.closeReader();
  }
}

function closed(syscall: string): Error {
  return osError("EBADF", { syscall, reason: "the socket was closed" });
}
