/**
 * A listening socket of `node:net`, and its connections.
 *
 * @module
 */

import type { Server as NetServer, Socket as NetSocket } from "node:net";
import { NodeStream } from "./node_stream.ts";
import type {
  ListenerTransport,
  StreamTransport,
  TransportAddr,
} from "./transport.ts";

/**
 * How often a TCP socket that nobody connects to is told again to listen, in ms: arbitrary. Deno
 * (2.9.6, `node:net`) stops accepting, without a word, when no descriptor is left; this sets it going.
 */
const REARM_MS = 1000;

/**
 * How many Unix connections are kept at least, whatever the backlog: the system would have their clients wait, and
 * would close none. Arbitrary: each costs a descriptor, of which Deno allows itself as many as the hard limit.
 */
const KEPT_MAX = 4096;

/** The part of a handle of `node:net` in use: what is under a server. */
export interface ListenHandle {
  /** Listens, or goes on to; gives the negative errno where that fails. */
  listen(backlog: number): number;
  /** Called when there is a connection, which it accepts; `status` is 0, or the negative errno. */
  onconnection(status: number): void;
  close(): void;
}

/**
 * Accepts through `node:net`, which has no way to wait: it takes what comes. But Deno (2.9.6) takes one TCP
 * connection at a time from the system, and the next only when `onconnection` has accepted the last. So that
 * call is put off until somebody asks, and all but one connection wait where they belong, in the backlog.
 *
 * Of Unix connections Deno takes all there are, and cannot be set going again once it has stopped, as without free
 * descriptors. Those that nobody asked for yet are kept here, up to {@linkcode KEPT_MAX}, and more are closed.
 */
export class NodeListener implements ListenerTransport {
  readonly #server: NetServer;
  readonly addr: TransportAddr;
  readonly #queue: NetSocket[] = [];
  readonly #kept: number;
  readonly #waits: boolean;
  readonly #listen: () => void;
  readonly #take: (status: number) => void;
  readonly #watchdog: ReturnType<typeof setInterval>;
  #waiter: PromiseWithResolvers<StreamTransport> | undefined;
  #held = false;
  #failure: Error | undefined;
  #closed = false;

  /**
   * @param server What to own; it listens.
   * @param handle What is under it.
   * @param addr Where.
   * @param backlog How many connections may wait.
   */
  constructor(
    server: NetServer,
    handle: ListenHandle,
    addr: TransportAddr,
    backlog: number,
  ) {
    this.#server = server;
    this.addr = addr;
    this.#kept = Math.max(backlog, KEPT_MAX);
    this.#waits = addr.transport === "tcp";
    this.#listen = () => void handle.listen(backlog);
    this.#take = handle.onconnection.bind(handle);
    handle.onconnection = (status) => this.#offer(status);
    this.#watchdog = setInterval(() => {
      if (this.#waits && this.#waiter !== undefined) this.#listen();
    }, REARM_MS);
    Deno.unrefTimer(this.#watchdog);
    server.on("connection", (socket) => this.#arrive(socket));
    server.on("error", (error) => this.#fail(error));
    server.unref(); // as with Deno, only an accept under way keeps the process alive
  }

  #offer(status: number): void {
    const wanted = this.#waiter !== undefined || !this.#waits;
    if (wanted || status !== 0) this.#take(status);
    else this.#held = true;
  }

  #arrive(socket: NetSocket): void {
    if (this.#waiter !== undefined) {
      const stream = new PassableStream(socket, this.addr);
      if (!stream.gone) return this.#settle().resolve(stream);
      this.#fail(new Deno.errors.NotConnected("the client was gone"));
    } else if (!this.#closed && this.#queue.length < this.#kept) {
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
    if (this.#waits) this.#next();
    return promise;
  }

  /** Takes the connection that is there, and has Deno look for another: it does not always by itself. */
  #next(): void {
    if (this.#held) {
      this.#held = false;
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

/**
 * A connection that another process can take over. Reads and writes it, or gives it away before anything was read;
 * owns it until then.
 */
export class PassableStream implements StreamTransport {
  readonly #socket: NetSocket;
  readonly #addr: TransportAddr;
  #stream: NodeStream | undefined;

  /**
   * @param socket A connection that is paused.
   * @param addr Where it was accepted.
   */
  constructor(socket: NetSocket, addr: TransportAddr) {
    this.#socket = socket;
    this.#addr = addr;
    socket.on("error", ignore);
  }

  get localAddr(): TransportAddr {
    if (this.#addr.transport === "unix") return this.#addr;
    const { localAddress: hostname, localPort: port } = this.#socket;
    return { transport: "tcp", hostname, port };
  }

  get remoteAddr(): TransportAddr {
    if (this.#addr.transport === "unix") return { transport: "unix", path: "" };
    const { remoteAddress: hostname, remotePort: port } = this.#socket;
    return { transport: "tcp", hostname, port };
  }

  /** Whether the client was gone before the connection was accepted: it has no address any more. */
  get gone(): boolean {
    return this.#addr.transport === "tcp" &&
      this.#socket.remoteAddress === undefined;
  }

  /** Whether nothing was read or written here. */
  get fresh(): boolean {
    return this.#stream === undefined;
  }

  /**
   * Gives the connection away; it must be fresh. It forgets its server: closing that would send every process that
   * ever got a connection of it a message of its own, past whoever orders the messages, and the connection that is on
   * its way would be lost (Deno 2.9.6).
   */
  take(): NetSocket {
    const socket = this.#socket;
    return Object.assign(socket, { server: null, _server: null });
  }

  get #open(): NodeStream {
    this.#socket.off("error", ignore);
    return this.#stream ??= new NodeStream(this.#socket);
  }

  read(p: Uint8Array): Promise<number | null> {
    return this.#open.read(p);
  }

  write(p: Uint8Array): Promise<number> {
    return this.#open.write(p);
  }

  closeWrite(): Promise<void> {
    return this.#open.closeWrite();
  }

  close(): void {
    this.#socket.destroy();
  }

  setNoDelay(on?: boolean): void {
    this.#socket.setNoDelay(on);
  }

  setKeepAlive(on?: boolean): void {
    this.#socket.setKeepAlive(on);
  }
}

/** Who takes the connection over learns of its errors. */
function ignore(): void {}
