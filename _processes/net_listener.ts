/**
 * A listening socket of `node:net`.
 *
 * @module
 */

import type { Server as NetServer, Socket as NetSocket } from "node:net";
import type {
  ListenerTransport,
  StreamTransport,
  TransportAddr,
} from "../_socket/transport.ts";
import { PassableStream } from "./passable.ts";

/**
 * How long without a connection until the socket is told again to listen, in ms: arbitrary. Deno
 * (2.9.6, `node:net`) stops accepting, without a word, when no descriptor is left; this sets it going.
 */
const REARM_MS = 1000;

/**
 * Accepts through `node:net`, which cannot be told to wait: connections that nobody asked for yet are
 * kept, as many as the backlog, and more are closed.
 */
export class NetListener implements ListenerTransport {
  readonly #server: NetServer;
  readonly #queue: NetSocket[] = [];
  readonly addr: TransportAddr;
  #waiter: PromiseWithResolvers<StreamTransport> | undefined;
  #failure: Error | undefined;
  readonly #watchdog: ReturnType<typeof setInterval>;
  #arrived = false;
  #closed = false;

  /**
   * @param server What to own; it listens.
   * @param addr Where.
   * @param backlog How many connections to keep.
   * @param rearm Makes it listen again.
   */
  constructor(
    server: NetServer,
    addr: TransportAddr,
    backlog: number,
    rearm: () => void,
  ) {
    this.#server = server;
    this.addr = addr;
    this.#watchdog = setInterval(() => {
      if (!this.#arrived) rearm();
      this.#arrived = false;
    }, REARM_MS);
    Deno.unrefTimer(this.#watchdog);
    server.on("connection", (socket) => this.#arrive(socket, backlog));
    server.on("error", (error) => this.#fail(error));
    server.unref(); // as with Deno, only an accept under way keeps the process alive
  }

  #arrive(socket: NetSocket, backlog: number): void {
    this.#arrived = true;
    if (this.#waiter !== undefined) {
      this.#settle().resolve(this.#wrap(socket));
    } else if (!this.#closed && this.#queue.length < backlog) {
      this.#queue.push(socket);
    } else socket.destroy();
  }

  #wrap(socket: NetSocket): PassableStream {
    return new PassableStream(socket, this.addr);
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
    if (socket !== undefined) return Promise.resolve(this.#wrap(socket));
    if (this.#failure !== undefined) {
      const failure = this.#failure;
      this.#failure = undefined;
      return Promise.reject(failure);
    }
    this.#waiter = Promise.withResolvers();
    this.#server.ref();
    return this.#waiter.promise;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    clearInterval(this.#watchdog);
    this.#server.close();
    for (const socket of this.#queue.splice(0)) socket.destroy();
    this.#fail(new Deno.errors.BadResource("the listener was closed"));
  }
}
