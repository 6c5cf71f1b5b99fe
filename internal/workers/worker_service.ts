/**
 * The work of a worker: requests come, handlers run.
 *
 * @module
 */

import { copyOf } from "../base/memory.ts";
import { runHandler } from "../server/steps.ts";
import { Socket, stateOf } from "../socket/socket_object.ts";
import { Calls } from "../channel/worker_calls.ts";
import { BlockingDatagram } from "../blocking/blocking_datagram.ts";
import { BlockingSocket } from "../blocking/blocking_socket.ts";
import { BlockingStream } from "../blocking/blocking_stream.ts";
import { Channel } from "../channel/channel.ts";
import {
  type HandlerClass,
  handlerIn,
  type HandlerOrigin,
} from "../handoff/handler_reference.ts";
import { loadModule } from "../handoff/loading.ts";
import { Lane, type LaneMemory } from "../channel/lane.ts";
import * as P from "../channel/frames.ts";
import { RelayConn } from "./worker_conn.ts";
import { RelayDatagram } from "../channel/worker_datagram.ts";
import { type ServerFacts, ServerStub } from "./worker_server.ts";

/** What a worker is told at its start. */
export interface WorkerInit {
  /** What connects it with the main thread. */
  readonly memory: LaneMemory;
  /** The class of handlers. */
  readonly handler: HandlerOrigin;
  /** Whether handlers block the worker. */
  readonly blocking: boolean;
  /** What handlers know of the server. */
  readonly server: ServerFacts;
  /** Whether the server drains already. */
  readonly draining: boolean;
}

/** Runs the handlers of one worker. */
export class Service {
  /** What connects it with the main thread. */
  readonly lane: Lane;
  readonly #stub: ServerStub;
  readonly #calls = new Calls();
  readonly #channels = new Map<number, Channel>();
  /** Datagrams whose bytes come with the next frame. */
  readonly #datagrams = new Map<number, P.Opening>();
  readonly #handler: Promise<HandlerClass>;
  readonly #blocking: boolean;

  /** @param init What the main thread told. */
  constructor(init: WorkerInit) {
    const onFrame = this.#onFrame.bind(this);
    this.lane = new Lane(init.memory, "worker", onFrame);
    this.#stub = new ServerStub(
      init.server,
      init.draining,
      () => this.#calls.ask((call) => this.lane.send(P.SHUTDOWN, call)),
      init.blocking ? () => this.lane.drain() : undefined,
    );
    this.#handler = loadHandler(init.handler);
    this.#blocking = init.blocking;
  }

  /** Takes requests until the worker ends, if the handler's class can be loaded. */
  async run(): Promise<void> {
    this.#handler.then(
      () => this.lane.send(P.READY, 0),
      (error) => this.lane.send(P.UNFIT, 0, P.packFailure(error)),
    );
    await this.lane.serve();
  }

  #onFrame(type: number, id: number, payload: Uint8Array): void {
    if (type === P.OPEN) return this.#open(id, P.unpack(payload)!);
    if (type === P.PULSE) return this.lane.send(P.PULSE, 0);
    if (type === P.DRAIN) return this.#stub.drain();
    if (type === P.ANSWER) return this.#calls.answer(id, payload);
    const channel = this.#channels.get(id);
    if (channel !== undefined) return channel.onFrame(type, payload);
    const opening = this.#datagrams.get(id);
    if (opening === undefined) {
      if (type === P.DATA) this.lane.send(P.UNREAD, id, payload); // its handler has ended
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
    const conn = new RelayConn(id, opening, this.lane);
    this.#channels.set(id, conn);
    const socket = Socket.from(conn);
    socket.settimeout(opening.timeout);
    const { receiveBuffer, sendQueue } = stateOf(socket).stream!;
    this.#handle(id, opening, socket, async () => {
      if (sendQueue.busy) {
        this.lane.send(P.ENDING, id);
        await sendQueue.flush().catch(() => {}); // who awaits the write knows
      }
      conn.stopReading();
      await undefined; // a read that has ended already lands
      this.lane.drain();
      this.#finish(
        conn,
        receiveBuffer.hasBytes ? receiveBuffer.take(Infinity) : undefined,
      );
      stateOf(socket).close(false);
      return conn.received;
    });
  }

  #openBlocking(id: number, opening: P.Opening): void {
    const channel = new Channel(id, opening, this.lane);
    this.#channels.set(id, channel);
    const socket = new BlockingSocket(new BlockingStream(channel, this.lane));
    socket.settimeout(opening.timeout);
    this.#handle(id, opening, socket, () => {
      this.lane.drain();
      this.#finish(channel);
      return channel.received;
    });
  }

  /** Gives back what a handler has not read. What still comes goes back frame by frame. */
  #finish(channel: Channel, buffered?: Uint8Array): void {
    channel.finish(buffered);
    this.#channels.delete(channel.id);
  }

  #openDatagram(id: number, opening: P.Opening, packet: Uint8Array): void {
    const { lane } = this;
    const conn = new RelayDatagram(id, opening.localAddr, lane, this.#calls);
    const socket = this.#blocking
      ? new BlockingSocket(new BlockingDatagram(conn, lane, this.#calls))
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
    this.lane.send(P.FINISHED, id, P.count(received, end));
  }
}

async function loadHandler(
  { moduleUrl, exportName }: HandlerOrigin,
): Promise<HandlerClass> {
  const module = await loadModule("in a worker", () => import(moduleUrl));
  return handlerIn(module, exportName, "in a worker");
}
