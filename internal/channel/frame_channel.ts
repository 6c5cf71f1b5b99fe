/**
 * What connects the main thread with one worker: a ring in each direction, and a flag for each side.
 *
 * @module
 */

import { WAKEUP_FLAG_BYTES, WakeupFlag } from "./wakeup_flag.ts";
import { Ring, ringMemory } from "./ring.ts";

/**
 * The bytes of a ring: 8 pieces of 64 KiB. Measured: a quarter of it is as good for small pieces and worse for
 * large ones, and eight times as much leaves the processor's cache.
 */
const RING_BYTES = 524_288;

/**
 * How many frames of one turn wake the other side before the turn has ended, so that both work at the same
 * time. Measured with 64 connections of 64 bytes: 8 and 16 are 8 percent better than the end of the turn.
 */
const NOTIFY_AFTER = 8;

/**
 * How many frames are taken before those for whom they are get to work, so that the answers to the first leave
 * while the rest is taken. Measured as above with one worker: 15 percent better than all at once; with two as good.
 */
const RECEIVE_MAX = 8;

/** After how many chunks in a row the event loop gets its turn, for timers and the network; arbitrary. */
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

/** Memory for a channel. */
export function frameChannelMemory(): FrameChannelMemory {
  return {
    down: ringMemory(RING_BYTES),
    up: ringMemory(RING_BYTES),
    flags: new SharedArrayBuffer(2 * WAKEUP_FLAG_BYTES),
  };
}

/** Takes a frame. The payload is shared memory that is written over when the call has ended. */
export type OnFrame = (type: number, id: number, payload: Uint8Array) => void;

interface QueuedFrame {
  readonly type: number;
  readonly id: number;
  readonly payload: Uint8Array;
}

const EMPTY = new Uint8Array(0);

/**
 * One side of a channel. Frames arrive in the order in which they were sent. What is sent in one turn of the
 * event loop wakes the other side once, or twice where it is much.
 *
 * A side always takes what comes, also while it cannot send: so two full rings are no deadlock.
 */
export class FrameChannel {
  readonly #out: Ring;
  readonly #in: Ring;
  readonly #ownFlag: WakeupFlag;
  readonly #peerFlag: WakeupFlag;
  readonly #onFrame: OnFrame;
  /** What did not fit into the ring. */
  readonly #backlog: QueuedFrame[] = [];
  readonly #waitingForRoom = new Set<() => void>();
  /** The shortest piece of data that waits for room. */
  #shortestWaiting = Infinity;
  /** How many frames were sent in this turn of the event loop. */
  #unnotified = 0;
  /** Whether {@linkcode FrameChannel.receiveAll} sleeps. */
  #waiting = false;
  /** Whether the channel is closed. */
  closed = false;

  /**
   * @param memory The memory.
   * @param side Whose side this is.
   * @param onFrame What to do with a frame.
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

  /** Sends a frame, now or when there is room. */
  send(type: number, id: number, payload: Uint8Array = EMPTY): void {
    if (this.#backlog.length > 0 || !this.#out.write(type, id, payload)) {
      this.#backlog.push({ type, id, payload: payload.slice() });
    }
    this.#notifySoon();
  }

  /**
   * Finds room for a piece of data, in one frame: in two, a connection that sends them on as they come would
   * make two packets of them, and the second might wait for the delayed ACK of the first (RFC 896, RFC 1122).
   *
   * @param length How many bytes there are.
   * @param resume Called when there is room, where there is none now.
   * @returns Whether there is.
   */
  reserve(length: number, resume: () => void): boolean {
    if (this.#backlog.length === 0 && this.#out.reserve(length)) return true;
    this.#waitingForRoom.add(resume);
    this.#shortestWaiting = Math.min(this.#shortestWaiting, length);
    return false;
  }

  /** Sends a piece of data for which there is room. */
  put(type: number, id: number, data: Uint8Array): void {
    this.#out.put(type, id, data);
    this.#notifySoon();
  }

  #notifySoon(): void {
    if (++this.#unnotified === NOTIFY_AFTER) this.#peerFlag.notifyIfWaiting();
    if (this.#unnotified > 1) return;
    queueMicrotask(this.flush);
  }

  /** Wakes the other side if it sleeps. */
  readonly flush = (): void => {
    this.#unnotified = 0;
    this.#peerFlag.notifyIfWaiting();
  };

  /**
   * Takes the frames that are there, at most `most`, and sends what waited for room.
   *
   * A frame without a payload is freed before it is handed out, so that `onFrame` may take frames itself: a drain runs
   * the handler's listeners, and these may read. A payload is shared memory until the frame is freed, so nothing that
   * runs code of the user has one.
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

  /** Sends what waited for room; whether who waits for room for data may go on. */
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

  /** Takes frames as they come, until the channel closes. */
  async receiveAll(): Promise<void> {
    for (let busy = 1; !this.closed; busy++) {
      this.receive(RECEIVE_MAX);
      if (!this.#in.empty) {
        await (busy % CHUNKS_MAX === 0 ? new Promise(setImmediate) : undefined);
        continue;
      }
      this.#ownFlag.prepareWait();
      this.#retry(); // room that came before the flag was armed rang nobody
      this.#waiting = true;
      if (this.#in.empty && !this.closed) await this.#ownFlag.waitAsync();
      this.#waiting = false;
      this.#ownFlag.cancelWait();
    }
  }

  /**
   * Blocks the thread until a frame may have come, and takes it, or until there is room for who waits for it.
   *
   * @param ms How long at most.
   */
  block(ms: number): void {
    if (this.#waiting) this.#ownFlag.notify(); // or nobody would: the flag is not armed any more afterwards
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
   * Sends the last frame before the thread ends, and blocks it until what waited for room is sent as well.
   *
   * @param ms How long at most; the other side may have stopped to take frames.
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
