/**
 * A listening socket of `node:net`, whose connections another process can take over.
 *
 * @module
 */

import type { Server as NetServer, Socket as NetSocket } from "node:net";
import type {
  ListenerTransport,
  StreamTransport,
  TransportAddr,
} from "../transport/transport.ts";
import type { ListenHandle } from "./node_handles.ts";
import { PassableStream } from "./passable_stream.ts";

/**
 * The interval in ms at which a TCP socket without new connections listens again. Deno (2.9.6, `node:net`) stops
 * accepting, without an error, when no descriptor is left, and listening again resumes it. Arbitrary.
 */
const REARM_MS = 1000;

/**
 * The least number of Unix connections that are kept, whatever the backlog: with a smaller one the system lets clients
 * wait, and closes none. Each costs a descriptor, and Deno raises its limit of descriptors to the hard limit.
 * Arbitrary.
 */
const KEPT_MAX = 4096;

/**
 * Accepts connections through `node:net`, which accepts them before anybody asks. Deno (2.9.6) takes all TCP
 * connections that wait from the system, and calls `onconnection` for one after the other: for the next one only after
 * that function has accepted the last. So this class delays that until somebody asks. A copy of the socket in another
 * process cannot get those that Deno has taken: {@linkcode NodeListener.takeAhead} hands them out before the socket
 * goes there.
 *
 * Deno takes all Unix connections at once, and cannot resume after it has stopped for lack of descriptors. So this
 * class keeps those that nobody has asked for yet, up to {@linkcode KEPT_MAX}, and closes further ones.
 */
export class NodeListener implements ListenerTransport {
  readonly #server: NetServer;
  readonly addr: TransportAddr;
  readonly #queue: NetSocket[] = [];
  /** The most connections in the queue. */
  readonly #queueMax: number;
  /** Whether Deno asks before it accepts each connection, as over TCP. */
  readonly #asks: boolean;
  readonly takeAhead: (() => StreamTransport[]) | undefined;
  readonly #listen: () => void;
  readonly #take: (status: number) => void;
  readonly #watchdog: ReturnType<typeof setInterval>;
  #waiter: PromiseWithResolvers<StreamTransport> | undefined;
  /** Whether Deno has asked, and got no answer yet. */
  #asked = false;
  #failure: Error | undefined;
  #closed = false;

  /**
   * @param server The server, which listens. The listener owns it.
   * @param handle The handle of the server.
   * @param addr The address of the server.
   * @param backlog The number of connections that may wait.
   * @param shared Whether another process has the socket too, and accepts after this one.
   */
  constructor(
    server: NetServer,
    handle: ListenHandle,
    addr: TransportAddr,
    backlog: number,
    shared = false,
  ) {
    this.#server = server;
    this.addr = addr;
    this.#queueMax = Math.max(backlog, KEPT_MAX);
    this.#asks = addr.transport === "tcp";
    if (shared) this.takeAhead = () => this.#takeAhead();
    this.#listen = () => void handle.listen(backlog);
    this.#take = handle.onconnection.bind(handle);
    handle.onconnection = (status) => this.#offer(status);
    this.#watchdog = setInterval(() => {
      if (this.#asks && this.#waiter !== undefined) this.#listen();
    }, REARM_MS);
    Deno.unrefTimer(this.#watchdog);
    server.on("connection", (socket) => this.#arrive(socket));
    server.on("error", (error) => this.#fail(error));
    server.unref(); // as with Deno, only an accept under way keeps the process alive
  }

  #offer(status: number): void {
    const wanted = this.#waiter !== undefined || !this.#asks;
    if (wanted || status !== 0) this.#take(status);
    else this.#asked = true;
  }

  #arrive(socket: NetSocket): void {
    if (this.#waiter !== undefined) {
      const stream = new PassableStream(socket, this.addr);
      if (!stream.gone) return this.#settle().resolve(stream);
      this.#fail(new Deno.errors.NotConnected("the client was gone"));
    } else if (!this.#closed && this.#queue.length < this.#queueMax) {
      return void this.#queue.push(socket);
    }
    socket.destroy();
  }

  #fail(error: Error): void {
    if (this.#waiter !== undefined) this.#settle().reject(error);
    else this.#failure = error;
  }

  #settle(): PromiseWithResolvers<StreamTransport> {
    const waiter = this.#waiter!;
    this.#waiter = undefined;
    this.#server.unref();
    return waiter;
  }

  accept(): Promise<StreamTransport> {
    const socket = this.#queue.shift();
    if (socket !== undefined) {
      return Promise.resolve(new PassableStream(socket, this.addr));
    }
    if (this.#failure !== undefined) {
      const failure = this.#failure;
      if (!this.#closed) this.#failure = undefined;
      return Promise.reject(failure);
    }
    const { promise } = this.#waiter = Promise.withResolvers();
    this.#server.ref();
    if (this.#asks) this.#next();
    return promise;
  }

  /** Takes the connections that Deno has accepted and nobody has asked for. The next process cannot get them. */
  #takeAhead(): StreamTransport[] {
    const waiter = this.#waiter;
    this.#waiter = undefined;
    for (let count = -1; this.#asks && this.#queue.length > count;) {
      count = this.#queue.length;
      this.#take(0); // puts a connection into the queue, or fails
    }
    this.#asked = false;
    this.#waiter = waiter;
    return this.#queue.splice(0)
      .map((socket) => new PassableStream(socket, this.addr))
      .filter((stream) => !stream.gone);
  }

  /** Takes the waiting connection, and lets Deno look for another one, which it does not always do by itself. */
  #next(): void {
    if (this.#asked) {
      this.#asked = false;
      this.#take(0);
    }
    this.#listen();
  }

  unref(): void {
    this.#server.unref();
  }

  ref(): void {
    if (this.#waiter !== undefined) this.#server.ref();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    clearInterval(this.#watchdog);
    this.#server.close();
    for (const socket of this.#queue.splice(0)) socket.destroy();
    this.#failure = new Deno.errors.BadResource("the listener was closed");
    if (this.#waiter !== undefined) this.#settle().reject(this.#failure);
  }
}
