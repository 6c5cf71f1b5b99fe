/**
 * The connection of a blocking handler, and the server's datagram socket.
 *
 * @module
 */

import type { AddressLike } from "../base/address.ts";
import { type Bytes, joinBytes, memory } from "../base/memory.ts";
import { osError } from "../base/translate_error.ts";
import type {
  StreamTransport,
  TransportAddr,
} from "../runtime/transport/transport.ts";
import type { FrameChannel } from "../channel/frame_channel.ts";
import type { PendingCalls } from "../channel/pending_calls.ts";
import type { WorkerDatagramTransport } from "../channel/worker_datagram_transport.ts";
import type { WorkerStream } from "../channel/worker_stream.ts";
import { type Failure, fromFailure } from "../handoff/failure.ts";
import { Deadline } from "./deadline.ts";

/** Reads and writes a connection in a worker, and blocks the thread meanwhile. */
export class BlockingStream {
  readonly #stream: WorkerStream;
  readonly #channel: FrameChannel;
  #readEnded = false;
  #writeEnded = false;
  /** While a call sends: the data of later calls, which abort listeners make while the first one blocks. */
  #later: Uint8Array[] | undefined;

  /**
   * @param stream The worker's end of the connection.
   * @param channel The channel to the main thread.
   */
  constructor(stream: WorkerStream, channel: FrameChannel) {
    this.#stream = stream;
    this.#channel = channel;
  }

  /** The address on this side. */
  get localAddr(): TransportAddr {
    return this.#stream.opening.localAddr;
  }

  /** The address on the other side. */
  get remoteAddr(): TransportAddr {
    return this.#stream.opening.remoteAddr!;
  }

  /** The transport that options are set on. */
  get options(): StreamTransport {
    return this.#stream as unknown as StreamTransport;
  }

  /** Whether a read would return at once. */
  get readable(): boolean {
    return this.#readEnded || this.#stream.readable;
  }

  /** Whether a write would send or fail at once. */
  get writable(): boolean {
    return this.#writeEnded || this.#stream.writable;
  }

  /** Blocks until bytes have come. Returns their count; 0 is the end of the stream. */
  #wait(deadline: Deadline): number {
    const stream = this.#stream;
    const ready = () => this.readable; // an abort listener may shut it down
    if (this.#readEnded) this.#channel.receive(); // after shutdown only bytes that have arrived count
    else deadline.wait(this.#channel, ready, "recv");
    return stream.available;
  }

  /** Blocks until bytes have come, or until `over`; see `waitReadable` of the shell. */
  waitReadable(deadline: Deadline, over: () => boolean): boolean | undefined {
    const ready = () => this.readable || over();
    if (this.#readEnded || over()) this.#channel.receive();
    else deadline.wait(this.#channel, ready, "recv");
    if (!this.readable) return undefined;
    return this.#stream.peek(1).length > 0; // throws the failure of reading, once
  }

  /** Receives at most `size` bytes. */
  recv(size: number, deadline: Deadline): Bytes {
    const target = memory(Math.min(size, this.#wait(deadline)));
    this.#stream.take(target); // throws the failure of reading, once
    return target;
  }

  /** Receives into `target`. */
  recvInto(target: Uint8Array, deadline: Deadline): number {
    this.#wait(deadline);
    return this.#stream.take(target);
  }

  /** Receives `size` bytes; fewer at the end of the stream, or if the call must not block. */
  recvAll(size: number, deadline: Deadline): Bytes {
    const pieces: Bytes[] = [];
    try {
      for (let left = size; left > 0;) {
        const piece = this.recv(left, deadline);
        if (piece.length === 0) break;
        pieces.push(piece);
        left -= piece.length;
        if (deadline.now) break;
      }
    } catch (error) {
      if (pieces.length > 0) this.#stream.putBack(joinBytes(pieces));
      throw error;
    }
    return joinBytes(pieces);
  }

  /** Returns at most `size` bytes without taking them. */
  peek(size: number, deadline: Deadline): Bytes {
    this.#wait(deadline);
    return this.#stream.peek(size);
  }

  #checkWrite(syscall: string): void {
    if (!this.#writeEnded) return;
    throw osError("EPIPE", { syscall, reason: "shut down for writing" });
  }

  /** Sends the start of `data`. Without a time limit sends all of it, as blocking sockets do. */
  send(data: Uint8Array, deadline: Deadline): number {
    if (!deadline.endless) {
      return this.#sendInTurn(data, deadline, "send", false);
    }
    this.#sendInTurn(data, deadline, "send", true);
    return data.length;
  }

  /** Sends all of `data` within the time limit. */
  sendall(data: Uint8Array, deadline: Deadline, syscall = "send"): void {
    this.#sendInTurn(data, deadline, syscall, true);
  }

  /** Sends `data` or its start, then the data of calls made meanwhile. Returns the count of bytes of `data` sent. */
  #sendInTurn(
    data: Uint8Array,
    deadline: Deadline,
    syscall: string,
    whole: boolean,
  ): number {
    this.#channel.receive(); // fails if the client is gone, even while there is room
    this.#checkWrite(syscall);
    if (this.#later !== undefined) {
      this.#later.push(data.slice());
      return data.length;
    }
    const later: Uint8Array[] = this.#later = [];
    try {
      const count = this.#sendPiece(data, deadline, syscall, whole);
      for (const each of later) this.#sendPiece(each, deadline, syscall, true);
      return count;
    } finally {
      this.#later = undefined;
      this.#channel.flush(); // the turn of the event loop whose end does this may be long
    }
  }

  /** Blocks for room and sends: until all is sent, or only once if a part is enough. */
  #sendPiece(
    data: Uint8Array,
    deadline: Deadline,
    syscall: string,
    whole: boolean,
  ): number {
    let sent = 0;
    const ready = () => {
      this.#checkWrite(syscall); // an abort listener may have shut it down
      const count = this.#stream.put(sent > 0 ? data.subarray(sent) : data);
      sent += count;
      return count > 0;
    };
    while (sent < data.length && (whole || sent === 0)) {
      deadline.wait(this.#channel, ready, "send");
    }
    return sent;
  }

  /** Shuts the connection down for reading: the stream ends after the bytes that have arrived. */
  endRead(): void {
    this.#readEnded = true;
  }

  /** Shuts the connection down for writing. */
  endWrite(): void {
    if (!this.#writeEnded) this.#stream.shutWrite();
    this.#writeEnded = true;
    this.#channel.flush();
  }

  /** Closes the connection. */
  close(): void {
    this.#stream.close();
    this.#channel.flush();
  }

  /** Closes the connection at once. Bytes that are not sent yet are dropped. */
  abort(): void {
    this.#stream.abort();
    this.#channel.flush();
  }
}

/** Sends a blocking handler's datagrams through the main thread, and blocks until they are sent. */
export class BlockingDatagram {
  readonly #transport: WorkerDatagramTransport;
  readonly #channel: FrameChannel;
  readonly #calls: PendingCalls;

  /**
   * @param transport The transport that sends.
   * @param channel The channel to the main thread.
   * @param calls The calls whose results the main thread sends.
   */
  constructor(
    transport: WorkerDatagramTransport,
    channel: FrameChannel,
    calls: PendingCalls,
  ) {
    this.#transport = transport;
    this.#channel = channel;
    this.#calls = calls;
  }

  /** The address of the server's socket. */
  get addr(): TransportAddr {
    return this.#transport.addr;
  }

  /** Sends one datagram. The main thread looks up the name of a host. */
  send(data: Uint8Array, address: AddressLike, deadline: Deadline): number {
    const timeout = deadline.left;
    let done: { value?: unknown; failure?: Failure } | undefined;
    this.#calls.start(
      (call) => this.#transport.startSend(data, { call, address, timeout }),
      (answer) => done = answer,
    );
    // With timeout 0 the datagram is on its way already; the main thread reports whether it had to wait.
    const limit = deadline.now ? new Deadline(null) : deadline;
    limit.wait(this.#channel, () => done !== undefined, "sendto");
    if (done?.failure !== undefined) throw fromFailure(done.failure);
    return done!.value as number;
  }
}
