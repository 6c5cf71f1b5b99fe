/**
 * The channel between the main thread and one worker: a ring in each direction, and a wakeup flag for each side.
 *
 * @module
 */

import { WAKEUP_FLAG_BYTES, WakeupFlag } from "./wakeup_flag.ts";
import { Ring, ringMemory } from "./ring.ts";

/**
 * The size of a ring in bytes: 8 pieces of 64 KiB. Measured: a quarter of that is as fast for small pieces and slower
 * for large ones, and eight times as much does not fit into the processor's cache.
 */
const RING_BYTES = 524_288;

/**
 * The frames sent in one turn after which the other side is notified before the turn ends, so that both sides work
 * at the same time. Measured with 64 connections of 64 bytes: 8 and 16 are 8 percent faster than the end of the turn.
 */
const NOTIFY_AFTER = 8;

/**
 * The frames received before handlers run, so that answers to the first leave while the rest is received. Measured as
 * above with one worker: 15 percent faster than all frames at once; with two workers as fast.
 */
const RECEIVE_MAX = 8;

/** The chunks in a row after which the event loop gets a turn, for timers and the network. Arbitrary. */
const CHUNKS_MAX = 16;

/** The memory of a channel, for `postMessage`. */
export interface FrameChannelMemory {
  /** To the worker. */
  readonly down: SharedArrayBuffer;
  /** To the main thread. */
  readonly up: SharedArrayBuffer;
  /** The main thread's flag, then the worker's. */
  readonly flags: SharedArrayBuffer;
}

/** Allocates the memory of a channel. */
export function frameChannelMemory(): FrameChannelMemory {
  return {
    down: ringMemory(RING_BYTES),
    up: ringMemory(RING_BYTES),
    flags: new SharedArrayBuffer(2 * WAKEUP_FLAG_BYTES),
  };
}

/** Handles a frame. The payload is shared memory, and is overwritten after the call. */
export type OnFrame = (type: number, id: number, payload: Uint8Array) => void;

interface QueuedFrame {
  readonly type: number;
  readonly id: number;
  readonly payload: Uint8Array;
}

const EMPTY = new Uint8Array(0);

/**
 * One side of a channel. Frames arrive in the order in which they were sent. The frames of one turn of the event loop
 * notify the other side once, or twice if there are many.
 *
 * A side receives even while it cannot send, so that two full rings are no deadlock.
 */
export class FrameChannel {
  readonly #out: Ring;
  readonly #in: Ring;
  readonly #ownFlag: WakeupFlag;
  readonly #peerFlag: WakeupFlag;
  readonly #onFrame: OnFrame;
  /** The frames that did not fit into the ring. */
  readonly #backlog: QueuedFrame[] = [];
  readonly #waitingForRoom = new Set<() => void>();
  /** The length of the shortest piece of data that waits for room. */
  #shortestWaiting = Infinity;
  /** The count of frames sent in this turn of the event loop. */
  #unnotified = 0;
  /** Whether {@linkcode FrameChannel.receiveAll} waits on the flag. */
  #waiting = false;
  /** Whether the channel is closed. */
  closed = false;

  /**
   * @param memory The memory of the channel.
   * @param side The side of this thread.
   * @param onFrame Handles each frame that comes.
   */
  constructor(
    memory: FrameChannelMemory,
    side: "main" | "worker",
    onFrame: OnFrame,
  ) {
    const main = side === "main";
    this.#out = new Ring(main ? memory.down : memory.up, "producer");
    this.#in = new Ring(main ? memory.up : memory.down, "consumer");
    this.#ownFlag = new WakeupFlag(memory.flags, main ? 0 : WAKEUP_FLAG_BYTES);
    this.#peerFlag = new WakeupFlag(memory.flags, main ? WAKEUP_FLAG_BYTES : 0);
    this.#onFrame = onFrame;
  }

  /** Sends a frame, now or once there is room. */
  send(type: number, id: number, payload: Uint8Array = EMPTY): void {
    if (this.#backlog.length > 0 || !this.#out.write(type, id, payload)) {
      this.#backlog.push({ type, id, payload: payload.slice() });
    }
    this.#notifySoon();
  }

  /**
   * Finds room for a piece of data in one frame. Two frames could become two packets, and the second might wait for the
   * delayed ACK of the first (RFC 896, RFC 1122).
   *
   * @param length The length of the data in bytes.
   * @param resume Called once there is room, if there is none now.
   * @returns Whether there is room.
   */
  reserve(length: number, resume: () => void): boolean {
    if (this.#backlog.length === 0 && this.#out.reserve(length)) return true;
    this.#waitingForRoom.add(resume);
    this.#shortestWaiting = Math.min(this.#shortestWaiting, length);
    return false;
  }

  /** Sends a piece of data for which `reserve` has found room. */
  put(type: number, id: number, data: Uint8Array): void {
    this.#out.put(type, id, data);
    this.#notifySoon();
  }

  #notifySoon(): void {
    if (++this.#unnotified === NOTIFY_AFTER) this.#peerFlag.notifyIfWaiting();
    if (this.#unnotified > 1) return;
    queueMicrotask(this.flush);
  }

  /** Notifies the other side, if it waits. */
  readonly flush = (): void => {
    this.#unnotified = 0;
    this.#peerFlag.notifyIfWaiting();
  };

  /**
   * Handles the frames that have come, at most `most`, and sends frames that waited for room.
   *
   * A frame without a payload is freed before it is handled, so that `onFrame` may call `receive` itself: a DRAIN frame
   * runs abort listeners of the handler, and these may read. A payload is shared memory until the frame is freed, so no
   * frame that runs code of the user has a payload.
   */
  receive(most = Infinity): void {
    const ring = this.#in;
    while (most-- > 0 && ring.next()) {
      const { type, id, start, end } = ring;
      if (start === end) {
        ring.free();
        this.#onFrame(type, id, EMPTY);
      } else {
        this.#onFrame(type, id, ring.bytes.subarray(start, end));
        ring.free();
      }
    }
    if (ring.takeWanted()) this.#notifySoon();
    this.#retry();
  }

  /** Sends frames that waited for room. Returns whether there was room for waiting data too. */
  #retry(): boolean {
    if (this.#backlog.length > 0) this.#sendBacklog();
    if (this.#waitingForRoom.size === 0 || this.#backlog.length > 0) {
      return false;
    }
    const room = this.#out.reserve(this.#shortestWaiting);
    if (room) this.#resume();
    return room;
  }

  #sendBacklog(): void {
    let count = 0;
    for (const { type, id, payload } of this.#backlog) {
      if (!this.#out.write(type, id, payload)) break;
      count++;
    }
    this.#backlog.splice(0, count);
    if (count > 0) this.#notifySoon();
  }

  #resume(): void {
    const waiting = [...this.#waitingForRoom];
    this.#waitingForRoom.clear();
    this.#shortestWaiting = Infinity;
    for (const resume of waiting) resume();
  }

  /** Handles frames as they come, until the channel closes. */
  async receiveAll(): Promise<void> {
    for (let busy = 1; !this.closed; busy++) {
      this.receive(RECEIVE_MAX);
      if (!this.#in.empty) {
        await (busy % CHUNKS_MAX === 0 ? new Promise(setImmediate) : undefined);
        continue;
      }
      this.#ownFlag.prepareWait();
      this.#retry(); // room that came before prepareWait() notified nobody
      this.#waiting = true;
      if (this.#in.empty && !this.closed) await this.#ownFlag.waitAsync();
      this.#waiting = false;
      this.#ownFlag.cancelWait();
    }
  }

  /**
   * Blocks the thread until a frame may have come, and handles it, or until there is room for waiting data.
   *
   * @param ms The most milliseconds to block.
   */
  block(ms: number): void {
    if (this.#waiting) this.#ownFlag.notify(); // nobody else would: block() leaves the flag cancelled
    this.#waiting = false;
    this.#ownFlag.prepareWait();
    const room = this.#retry();
    this.flush();
    if (!room && this.#in.empty) this.#ownFlag.wait(ms);
    this.#ownFlag.cancelWait();
    this.receive();
    this.flush();
  }

  /**
   * Sends the last frame before the thread ends, and blocks until all frames that wait for room are sent too.
   *
   * @param ms The most milliseconds to block: the other side may have stopped receiving.
   */
  sendLast(type: number, id: number, payload: Uint8Array, ms: number): void {
    this.send(type, id, payload);
    const end = performance.now() + ms;
    for (let left = ms; this.#backlog.length > 0 && left > 0;) {
      this.block(left);
      left = end - performance.now();
    }
    this.flush();
  }

  /** Ends {@linkcode FrameChannel.receiveAll}. */
  close(): void {
    this.closed = true;
    this.#ownFlag.notifyIfWaiting();
  }
}
