/**
 * The worker's side of a worker that runs requests.
 *
 * @module
 */

import type { Address } from "../base/address.ts";
import { copyOf } from "../base/memory.ts";
import { type Failure, fromFailure } from "../handoff/failure.ts";
import { noteHeader } from "../proxy/known_headers.ts";
import type { ActiveRequest } from "../requests/active_requests.ts";
import type { LimitName } from "../stages/server_status.ts";
import { reportLimits } from "../requests/note_limit.ts";
import { runHandler, type Runnable } from "../server/request_stages.ts";
import { Socket, stateOf } from "../socket/socket_object.ts";
import { forwardedSocket } from "../ssl/forwarded_socket.ts";
import { PendingCalls } from "../channel/pending_calls.ts";
import {
  BlockingConnections,
  setConnections,
} from "../blocking/blocking_connections.ts";
import { BlockingSocketShell } from "../blocking/blocking_socket_shell.ts";
import { BlockingSSLSocketShell } from "../blocking/blocking_ssl_socket.ts";
import {
  BlockingDatagram,
  BlockingStream,
} from "../blocking/blocking_transports.ts";
import { WorkerStream } from "../channel/worker_stream.ts";
import {
  type HandlerReference,
  loadHandler,
} from "../handoff/handler_reference.ts";
import type { HandlerClass } from "../server/handler_class.ts";
import {
  FrameChannel,
  type FrameChannelMemory,
} from "../channel/frame_channel.ts";
import * as frames from "../channel/frames.ts";
import { WorkerStreamTransport } from "./worker_stream_transport.ts";
import { WorkerDatagramTransport } from "../channel/worker_datagram_transport.ts";
import type { ServerFacts } from "../handoff/server_stub.ts";
import { WorkerServerStub } from "./worker_server_stub.ts";

/** The data that a worker starts with. */
export interface WorkerInit {
  /** The memory of the channel to the main thread. */
  readonly memory: FrameChannelMemory;
  /** A word for the number of handlers that wait between two messages. */
  readonly idle: SharedArrayBuffer;
  /** The handler's class. */
  readonly handler: HandlerReference;
  /** Whether handlers block the worker. */
  readonly blocking: boolean;
  /** The facts about the server that handlers see. */
  readonly server: ServerFacts;
  /** Whether the server is shutting down. */
  readonly draining: boolean;
}

/** Runs a handler for each request that comes over the channel. */
export class WorkerRequestRunner {
  /** The channel to the main thread. */
  readonly channel: FrameChannel;
  readonly #stub: WorkerServerStub;
  readonly #calls = new PendingCalls();
  readonly #streams = new Map<number, WorkerStream>();
  /** The requests whose handlers run. */
  readonly #active = new Map<number, ActiveRequest>();
  /** The errors of the requests whose signals the next frame aborts. */
  readonly #failures = new Map<number, Failure>();
  /** The datagrams whose bytes come with the next frame. */
  readonly #datagrams = new Map<number, frames.Opening>();
  readonly #handler: Promise<HandlerClass>;
  readonly #blocking: boolean;
  /** The connections that blocking handlers open. */
  readonly #connections: BlockingConnections;

  /** @param init The data that the worker starts with. */
  constructor(init: WorkerInit) {
    const onFrame = this.#onFrame.bind(this);
    this.channel = new FrameChannel(init.memory, "worker", onFrame);
    this.#stub = new WorkerServerStub(
      init.server,
      init.draining,
      () =>
        this.#calls.call((call) => this.channel.send(frames.SHUTDOWN, call)),
      init.blocking ? () => this.channel.receive() : undefined,
    );
    const { idleWaits } = this.#stub.requests;
    const idleCount = new Int32Array(init.idle);
    idleWaits.onChange = () => Atomics.store(idleCount, 0, idleWaits.size);
    reportLimits(this.#stub, (limit, request) => this.#report(limit, request));
    this.#connections = new BlockingConnections(this.channel);
    if (init.blocking) setConnections(this.#connections);
    this.#handler = loadHandler(init.handler, "in a worker");
    this.#blocking = init.blocking;
  }

  /** Loads the handler's class, and runs requests until the channel closes. */
  async run(): Promise<void> {
    this.#handler.then(
      () => this.channel.send(frames.READY, 0),
      (error) =>
        this.channel.send(frames.LOAD_FAILED, 0, frames.packFailure(error)),
    );
    await this.channel.receiveAll();
  }

  #onFrame(type: number, id: number, payload: Uint8Array): void {
    if (type === frames.ANSWER) return this.#calls.settle(id, payload);
    if (id < 0) return this.#connections.onFrame(type, id, payload);
    if (type === frames.OPEN) return this.#open(id, frames.unpack(payload)!);
    if (type === frames.HEARTBEAT) {
      return this.channel.send(frames.HEARTBEAT, 0);
    }
    if (type === frames.DRAIN) return this.#stub.requests.drain();
    if (type === frames.END_IDLE) return this.#stub.requests.idleWaits.end();
    if (type === frames.EXPIRE) this.#failures.set(id, frames.unpack(payload)!);
    if (type === frames.ABORT_SIGNAL) return this.#abortSignal(id);
    const stream = this.#streams.get(id);
    if (stream !== undefined) return stream.onFrame(type, payload);
    const opening = this.#datagrams.get(id);
    if (opening === undefined) {
      if (type === frames.DATA) this.channel.send(frames.UNREAD, id, payload); // its handler has ended
      return;
    }
    this.#datagrams.delete(id);
    this.#openDatagram(id, opening, copyOf(payload, 0, payload.length));
  }

  /** Tells the main thread that a request is over a limit. */
  #report(limit: LimitName, request: unknown): void {
    for (const [id, active] of this.#active) {
      if (active.request !== request) continue;
      this.channel.send(frames.LIMIT, id, frames.pack(limit));
    }
  }

  /** Aborts the signal of a request whose time is up, unless its handler has ended. */
  #abortSignal(id: number): void {
    const failure = this.#failures.get(id)!;
    this.#failures.delete(id);
    const active = this.#active.get(id);
    if (active === undefined) return;
    (active.controller ??= new AbortController()).abort(fromFailure(failure));
  }

  #open(id: number, opening: frames.Opening): void {
    if (opening.remoteAddr === undefined) {
      this.#datagrams.set(id, opening);
    } else this.#openStream(id, opening);
  }

  #openStream(id: number, opening: frames.Opening): void {
    if (this.#blocking) return this.#openBlocking(id, opening);
    const conn = new WorkerStreamTransport(id, opening, this.channel);
    this.#streams.set(id, conn);
    const socket = forwardedSocket(conn, opening.tls);
    noteProxyHeader(socket, opening);
    socket.settimeout(opening.timeout);
    const { receiveBuffer, sendQueue } = stateOf(socket).stream!;
    this.#handle(id, opening, socket, async () => {
      if (sendQueue.busy) {
        this.channel.send(frames.LINGER, id);
        await sendQueue.flush().catch(() => {}); // a caller that awaits the write sees the error
      }
      conn.stopReading();
      await undefined; // a read that has ended is still delivered
      this.channel.receive();
      this.#finish(
        conn,
        receiveBuffer.hasBytes ? receiveBuffer.take(Infinity) : undefined,
      );
      stateOf(socket).close(false);
      return conn.received;
    });
  }

  #openBlocking(id: number, opening: frames.Opening): void {
    const stream = new WorkerStream(id, opening, this.channel);
    this.#streams.set(id, stream);
    const io = new BlockingStream(stream, this.channel);
    const socket = opening.tls === undefined
      ? new BlockingSocketShell(io)
      : new BlockingSSLSocketShell(io, opening.tls);
    noteProxyHeader(socket, opening);
    socket.settimeout(opening.timeout);
    this.#handle(id, opening, socket, () => {
      this.channel.receive();
      this.#finish(stream);
      return stream.received;
    });
  }

  /** Gives the unread bytes back. Bytes that still come go back frame by frame. */
  #finish(stream: WorkerStream, buffered?: Uint8Array): void {
    stream.finish(buffered);
    this.#streams.delete(stream.id);
  }

  #openDatagram(id: number, opening: frames.Opening, packet: Uint8Array): void {
    const { channel } = this;
    const conn = new WorkerDatagramTransport(
      id,
      opening.localAddr,
      channel,
      this.#calls,
    );
    const socket = this.#blocking
      ? new BlockingSocketShell(
        new BlockingDatagram(conn, channel, this.#calls),
      )
      : Socket.from(conn);
    const release = () => {
      socket.close();
      return 0;
    };
    this.#handle(id, opening, [packet, socket], release);
  }

  /** Runs the handler of a request. Ends the request that the handler has put in its place, if any. */
  async #runHandler(request: unknown, clientAddress: Address): Promise<void> {
    const Handler = await this.#handler;
    const handler: Runnable & { request?: unknown } = new Handler(
      request,
      clientAddress,
      this.#stub,
    );
    try {
      await runHandler(handler);
    } finally {
      const { request: current = request } = handler;
      if (current !== request) await this.#stub.shutdownRequest(current);
    }
  }

  /**
   * Runs a handler to its end, and reports how it ended.
   *
   * @param release Gives back the unread bytes of the handler. Returns the count of bytes that had come for it.
   */
  async #handle(
    id: number,
    opening: frames.Opening,
    request: unknown,
    release: () => number | Promise<number>,
  ): Promise<void> {
    let end: Uint8Array | undefined;
    const { lastId } = this.#connections;
    const { requests } = this.#stub;
    const active = requests.begin(request, opening.clientAddress);
    this.#active.set(id, active);
    try {
      await this.#runHandler(request, opening.clientAddress);
    } catch (error) {
      end = frames.packFailure(error);
    }
    this.#connections.closeSince(lastId);
    const received = await release();
    this.#active.delete(id);
    requests.end(active);
    const idle = active.end === "idle" && end === undefined;
    const finished = idle ? frames.FINISHED_IDLE : frames.FINISHED;
    this.channel.send(finished, id, frames.count(received, end));
  }
}

function noteProxyHeader(socket: object, { proxy }: frames.Opening): void {
  if (proxy !== undefined) noteHeader(socket, Uint8Array.fromBase64(proxy));
}
