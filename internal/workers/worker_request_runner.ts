/**
 * The work of a worker: requests come, handlers run.
 *
 * @module
 */

import { copyOf } from "../base/memory.ts";
import { runHandler } from "../server/request_stages.ts";
import { Socket, stateOf } from "../socket/socket_object.ts";
import { PendingCalls } from "../channel/pending_calls.ts";
import { BlockingDatagram } from "../blocking/blocking_datagram.ts";
import { BlockingSocket } from "../blocking/blocking_socket.ts";
import { BlockingStream } from "../blocking/blocking_stream.ts";
import { WorkerStream } from "../channel/worker_stream.ts";
import {
  exportedHandler,
  type HandlerClass,
  type HandlerReference,
} from "../handoff/handler_reference.ts";
import { loadModule } from "../handoff/handler_reference.ts";
import {
  FrameChannel,
  type FrameChannelMemory,
} from "../channel/frame_channel.ts";
import * as P from "../channel/frames.ts";
import { WorkerStreamTransport } from "./worker_stream_transport.ts";
import { WorkerDatagramTransport } from "../channel/worker_datagram_transport.ts";
import { type WorkerServerInit, WorkerServerStub } from "./worker_server.ts";

/** What a worker is told at its start. */
export interface WorkerInit {
  /** What connects it with the main thread. */
  readonly memory: FrameChannelMemory;
  /** The class of handlers. */
  readonly handler: HandlerReference;
  /** Whether handlers block the worker. */
  readonly blocking: boolean;
  /** What handlers know of the server. */
  readonly server: WorkerServerInit;
  /** Whether the server drains already. */
  readonly draining: boolean;
}

/** Runs the handlers of one worker. */
export class WorkerRequestRunner {
  /** What connects it with the main thread. */
  readonly channel: FrameChannel;
  readonly #stub: WorkerServerStub;
  readonly #calls = new PendingCalls();
  readonly #streams = new Map<number, WorkerStream>();
  /** Datagrams whose bytes come with the next frame. */
  readonly #datagrams = new Map<number, P.Opening>();
  readonly #handler: Promise<HandlerClass>;
  readonly #blocking: boolean;

  /** @param init What the main thread told. */
  constructor(init: WorkerInit) {
    const onFrame = this.#onFrame.bind(this);
    this.channel = new FrameChannel(init.memory, "worker", onFrame);
    this.#stub = new WorkerServerStub(
      init.server,
      init.draining,
      () => this.#calls.call((call) => this.channel.send(P.SHUTDOWN, call)),
      init.blocking ? () => this.channel.receive() : undefined,
    );
    this.#handler = loadHandler(init.handler);
    this.#blocking = init.blocking;
  }

  /** Takes requests until the worker ends, if the handler's class can be loaded. */
  async run(): Promise<void> {
    this.#handler.then(
      () => this.channel.send(P.READY, 0),
      (error) => this.channel.send(P.LOAD_FAILED, 0, P.packFailure(error)),
    );
    await this.channel.receiveAll();
  }

  #onFrame(type: number, id: number, payload: Uint8Array): void {
    if (type === P.OPEN) return this.#open(id, P.unpack(payload)!);
    if (type === P.HEARTBEAT) return this.channel.send(P.HEARTBEAT, 0);
    if (type === P.DRAIN) return this.#stub.drain();
    if (type === P.ANSWER) return this.#calls.settle(id, payload);
    const stream = this.#streams.get(id);
    if (stream !== undefined) return stream.onFrame(type, payload);
    const opening = this.#datagrams.get(id);
    if (opening === undefined) {
      if (type === P.DATA) this.channel.send(P.UNREAD, id, payload); // its handler has ended
      return;
    }
    this.#datagrams.delete(id);
    this.#openDatagram(id, opening, copyOf(payload, 0, payload.length));
  }

  #open(id: number, opening: P.Opening): void {
    if (opening.remoteAddr === undefined) {
      this.#datagrams.set(id, opening);
    } else this.#openStream(id, opening);
  }

  #openStream(id: number, opening: P.Opening): void {
    if (this.#blocking) return this.#openBlocking(id, opening);
    const conn = new WorkerStreamTransport(id, opening, this.channel);
    this.#streams.set(id, conn);
    const socket = Socket.from(conn);
    socket.settimeout(opening.timeout);
    const { receiveBuffer, sendQueue } = stateOf(socket).stream!;
    this.#handle(id, opening, socket, async () => {
      if (sendQueue.busy) {
        this.channel.send(P.LINGER, id);
        await sendQueue.flush().catch(() => {}); // who awaits the write knows
      }
      conn.stopReading();
      await undefined; // a read that has ended already lands
      this.channel.receive();
      this.#finish(
        conn,
        receiveBuffer.hasBytes ? receiveBuffer.take(Infinity) : undefined,
      );
      stateOf(socket).close(false);
      return conn.received;
    });
  }

  #openBlocking(id: number, opening: P.Opening): void {
    const stream = new WorkerStream(id, opening, this.channel);
    this.#streams.set(id, stream);
    const socket = new BlockingSocket(new BlockingStream(stream, this.channel));
    socket.settimeout(opening.timeout);
    this.#handle(id, opening, socket, () => {
      this.channel.receive();
      this.#finish(stream);
      return stream.received;
    });
  }

  /** Gives back what a handler has not read. What still comes goes back frame by frame. */
  #finish(stream: WorkerStream, buffered?: Uint8Array): void {
    stream.finish(buffered);
    this.#streams.delete(stream.id);
  }

  #openDatagram(id: number, opening: P.Opening, packet: Uint8Array): void {
    const { channel } = this;
    const conn = new WorkerDatagramTransport(
      id,
      opening.localAddr,
      channel,
      this.#calls,
    );
    const socket = this.#blocking
      ? new BlockingSocket(new BlockingDatagram(conn, channel, this.#calls))
      : Socket.from(conn);
    const release = () => {
      socket.close();
      return 0;
    };
    this.#handle(id, opening, [packet, socket], release);
  }

  /**
   * Runs a handler to its end, and tells how it ended.
   *
   * @param release Gives back what the handler had, and returns how many bytes had come for it.
   */
  async #handle(
    id: number,
    opening: P.Opening,
    request: unknown,
    release: () => number | Promise<number>,
  ): Promise<void> {
    let end: Uint8Array | undefined;
    try {
      const Handler = await this.#handler;
      await runHandler(
        new Handler(request, opening.clientAddress, this.#stub),
      );
    } catch (error) {
      end = P.packFailure(error);
    }
    const received = await release();
    this.#stub.forget(request);
    this.channel.send(P.FINISHED, id, P.count(received, end));
  }
}

async function loadHandler(
  { moduleUrl, exportName }: HandlerReference,
): Promise<HandlerClass> {
  const module = await loadModule("in a worker", () => import(moduleUrl));
  return exportedHandler(module, exportName, "in a worker");
}
