/**
 * UDP over `node:dgram`, for programs that run without the unstable `net` flag.
 *
 * @module
 */

import type { RemoteInfo, Socket as DgramSocket } from "node:dgram";
import { formatAddress } from "../../base/address.ts";
import { AF_INET } from "../../base/constants.ts";
import { MAX_DELAY } from "../../waiting/timeouts.ts";
import { nodeDgram } from "../system/node_builtins.ts";
import type {
  DatagramOption,
  DatagramTransport,
  TransportAddr,
} from "../transport/transport.ts";
import { mayUse } from "../resolver/dns.ts";

/**
 * The most datagrams that wait for a reader. Later ones are dropped, as the kernel drops datagrams when its receive
 * buffer is full. 1,024 of 208 bytes fill the default buffer of Linux (net.core.rmem_default, 212,992 bytes).
 */
const QUEUE_MAX = 1024;

/** The most bytes of these datagrams: five times that buffer. Arbitrary. */
const QUEUE_BYTES_MAX = 1_048_576;

/** The address to bind, as for `Deno.listenDatagram`. */
export interface NodeDatagramOptions {
  /** AF_INET or AF_INET6. */
  family: number;
  /** The address of the interface, or a name. */
  hostname: string;
  /** The port; 0 lets the system choose. */
  port: number;
  /** SO_REUSEADDR. */
  reuseAddr: boolean;
}

type Lookup = (host: string, options: unknown, done: LookupDone) => void;
type LookupDone = (
  error: Error | null,
  address: string,
  family: number,
) => void;
type Received = [Uint8Array, TransportAddr];
type Receiver = PromiseWithResolvers<Received> & { into: Uint8Array };

/**
 * Binds a socket at once. Node's `bind` waits only for the look-up, and this look-up answers in the same turn: the
 * runtime resolves a name itself.
 *
 * @throws The error of `bind`, with its `code`.
 */
export function bindNodeDatagram(
  options: NodeDatagramOptions,
): DatagramTransport {
  const socket = createSocket(options.family, options.reuseAddr);
  let failure: Error | undefined;
  const fail = (error: Error) => failure = error;
  socket.once("error", fail);
  socket.bind({ port: options.port, address: options.hostname });
  socket.off("error", fail);
  if (failure === undefined) return new NodeDatagram(socket);
  socket.close();
  throw failure;
}

/** Makes a datagram socket of a handle of Node, which is bound. */
export function datagramOf(handle: object, family: number): DatagramTransport {
  const socket = createSocket(family, false);
  socket.bind(handle as never); // as Node's cluster does; the types lack it
  return new NodeDatagram(socket);
}

function createSocket(family: number, reuseAddr: boolean): DgramSocket {
  const version = family === AF_INET ? 4 : 6;
  const lookup: Lookup = (host, _options, done) => done(null, host, version);
  return nodeDgram().createSocket({
    type: version === 4 ? "udp4" : "udp6",
    reuseAddr,
    lookup,
  });
}

class NodeDatagram implements DatagramTransport {
  readonly #socket: DgramSocket;
  readonly #queue: Received[] = [];
  /** The joined groups. Deno's `node:dgram` fails with EINVAL for every reason. */
  readonly #joined = new Set<string>();
  readonly addr: TransportAddr;
  #receiver: Receiver | undefined;
  #failure: Error | undefined;
  #queued = 0;
  #broadcast = false;
  #closed = false;
  /**
   * Keeps the process alive in place of the socket, because Deno (2.9.6) ignores `unref` on a socket that already
   * receives. The timer itself does nothing.
   */
  readonly #alive = setInterval(() => {}, MAX_DELAY);
  readonly #released = Promise.withResolvers<void>();

  constructor(socket: DgramSocket) {
    this.#socket = socket;
    socket.unref();
    const { address, port } = socket.address();
    this.addr = { transport: "udp", hostname: address, port };
    socket.on("message", (data, from) => this.#arrive(data, from));
    socket.on("error", (error) => this.#fail(error));
  }

  #arrive(data: Uint8Array, from: RemoteInfo): void {
    const sender = {
      transport: "udp",
      hostname: from.address,
      port: from.port,
    };
    const receiver = this.#receiver;
    if (receiver === undefined) return this.#keep(data, sender);
    this.#receiver = undefined;
    receiver.resolve([copyInto(receiver.into, data), sender]);
  }

  /** Keeps a copy of a datagram, because Node's datagram is a view of 64 KiB. */
  #keep(data: Uint8Array, sender: TransportAddr): void {
    if (
      this.#queue.length >= QUEUE_MAX ||
      this.#queued + data.length > QUEUE_BYTES_MAX
    ) return;
    this.#queued += data.length;
    this.#queue.push([new Uint8Array(data), sender]);
  }

  get queued(): number {
    return this.#queue.length;
  }

  #fail(error: Error): void {
    if (this.#receiver === undefined) this.#failure = error;
    else this.#receiver.reject(error);
    this.#receiver = undefined;
  }

  receive(p: Uint8Array): Promise<Received> {
    const next = this.#queue.shift();
    if (next !== undefined) {
      this.#queued -= next[0].length;
      return Promise.resolve([copyInto(p, next[0]), next[1]]);
    }
    if (this.#closed) return Promise.reject(closedError());
    if (this.#failure !== undefined) {
      const failure = this.#failure;
      this.#failure = undefined;
      return Promise.reject(failure);
    }
    this.#receiver = { ...Promise.withResolvers<Received>(), into: p };
    return this.#receiver.promise;
  }

  send(p: Uint8Array, addr: TransportAddr): Promise<number> {
    if (addr.port === 0) return Promise.reject(invalid("port must not be 0"));
    return new Promise((resolve, reject) => {
      this.#socket.send(p, addr.port, addr.hostname, (error, count) => {
        if (error) reject(sendError(error, addr));
        else resolve(count);
      });
    });
  }

  unref(): void {
    Deno.unrefTimer(this.#alive);
  }

  ref(): void {
    Deno.refTimer(this.#alive);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.ref(); // the process waits for the end of the socket
    this.#socket.close(() => {
      clearInterval(this.#alive);
      this.#released.resolve();
    });
    this.#fail(closedError());
  }

  /** Resolves when the port is free, some turns of the event loop after `close`. */
  get released(): Promise<void> {
    return this.#released.promise;
  }

  setOption(name: DatagramOption, value: number): boolean {
    const socket = this.#socket;
    if (name === "multicastTTL" && value === 0) return false; // libuv takes 1-255
    if (name === "broadcast") {
      socket.setBroadcast(value !== 0);
      this.#broadcast = value !== 0;
    } else if (name === "multicastTTL") socket.setMulticastTTL(value);
    else if (name === "multicastLoop") socket.setMulticastLoopback(value !== 0);
    else if (name === "recvBufferSize") socket.setRecvBufferSize(value);
    else socket.setSendBufferSize(value);
    return true;
  }

  getOption(name: DatagramOption): number | undefined {
    if (name === "broadcast") return Number(this.#broadcast);
    if (name === "recvBufferSize") return this.#socket.getRecvBufferSize();
    if (name === "sendBufferSize") return this.#socket.getSendBufferSize();
  }

  membership(group: string, networkInterface: string, join: boolean): boolean {
    const key = `${group} ${networkInterface}`;
    if (this.#joined.has(key) === join) return false;
    if (join) this.#socket.addMembership(group, networkInterface);
    else this.#socket.dropMembership(group, networkInterface);
    if (join) this.#joined.add(key);
    else this.#joined.delete(key);
    return true;
  }
}

/**
 * Returns the error of a failed send. Deno's `node:dgram` reports UNKNOWN if the permissions do not allow the send,
 * or if the system does not (EACCES, for a broadcast address without SO_BROADCAST).
 */
function sendError(error: Error, { hostname, port }: TransportAddr): Error {
  if (!("code" in error) || error.code !== "UNKNOWN") return error;
  const where = formatAddress([hostname!, port!]);
  if (mayUse(hostname!, port!)) {
    const cause = error;
    return Object.assign(new Error(`send EACCES ${where}`, { cause }), {
      code: "EACCES",
    });
  }
  return new Deno.errors.NotCapable(
    `Requires net access to "${where}", run again with the --allow-net flag`,
  );
}

function invalid(reason: string): Error {
  return Object.assign(new Error(`send EINVAL: ${reason}`), { code: "EINVAL" });
}

function closedError(): Error {
  return new Deno.errors.BadResource("the socket was closed");
}

function copyInto(target: Uint8Array, data: Uint8Array): Uint8Array {
  const part = data.subarray(0, target.length);
  target.set(part);
  return target.subarray(0, part.length);
}
