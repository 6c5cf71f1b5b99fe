/**
 * What the tests of sockets share: pairs of sockets, transports in memory, permissions.
 *
 * @module
 */

import { createHash } from "node:crypto";
import {
  type AddressInfo,
  createServer as createNetServer,
  type Socket as NetSocket,
} from "node:net";
import { constants } from "node:os";
import { bindNodeDatagram } from "../../internal/runtime/node/node_datagram.ts";
import { SharedTimer, Timeout } from "../../internal/waiting/timeouts.ts";
import {
  type Address,
  AF_INET,
  OSError,
  SOCK_DGRAM,
  Socket,
  type TransportAddr,
} from "../../socket.ts";
import type { DatagramTransport, StreamTransport } from "../../socket.ts";
import { assertEquals, assertInstanceOf } from "../deps.ts";
import { within } from "./within.ts";
import type { Bytes } from "./stream_fakes.ts";

/** The numbers of errors on this system, by code. */
export const ERRNO = constants.errno;

/** Lets all that is ready happen; for transports in memory, which wait for nothing else. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** The code of the OSError with which a call ends; its message must end with it. */
export async function codeOf(call: () => unknown): Promise<string | undefined> {
  try {
    await within(Promise.resolve(call()));
  } catch (error) {
    assertInstanceOf(error, OSError);
    assertEquals(
      error.message.endsWith(`(${error.code})`),
      true,
      error.message,
    );
    return error.code;
  }
  return undefined;
}

/** The codes with which calls that were made at the same time end. */
export function codesOf(
  calls: Promise<unknown>[],
): Promise<(string | undefined)[]> {
  return Promise.all(calls.map((call) => codeOf(() => call)));
}

/** A listening socket on a free port of the loopback. */
export function listen(family: number = AF_INET, backlog?: number): Socket {
  const listener = new Socket(family);
  listener.bind([family === AF_INET ? "127.0.0.1" : "::1", 0]);
  listener.listen(backlog);
  return listener;
}

/** Two ends of a TCP connection; the listener is closed. */
export async function tcpPair(): Promise<[client: Socket, server: Socket]> {
  using listener = listen();
  const client = new Socket();
  await client.connect(listener.getsockname());
  const [server] = await within(listener.accept());
  return [client, server];
}

/** Runs a test with both ends of a connection, which it need not close. */
export function withPair(
  name: string,
  fn: (client: Socket, server: Socket) => Promise<void>,
  { ignore = false, open = tcpPair } = {},
): void {
  Deno.test(name, { ignore }, async () => {
    const [client, server] = await open();
    using _client = client;
    using _server = server;
    await fn(client, server);
  });
}

/** A connected socket, and the other end as Deno has it. */
export async function tcpSocketAndConn(): Promise<[Socket, Deno.TcpConn]> {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const socket = new Socket();
  const [conn] = await Promise.all([
    listener.accept(),
    socket.connect(["127.0.0.1", listener.addr.port]),
  ]);
  return [socket, conn];
}

/** A connected socket, and a function with which the other end resets the connection. */
export async function tcpSocketAndReset(): Promise<[Socket, () => void]> {
  const server = createNetServer();
  const { promise, resolve } = Promise.withResolvers<NetSocket>();
  server.once("connection", resolve);
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const socket = new Socket();
  await socket.connect(["127.0.0.1", (server.address() as AddressInfo).port]);
  const peer = await within(promise);
  server.close();
  return [socket, () => void peer.resetAndDestroy()];
}

/** A UDP socket on a free port, over `node:dgram`: what a program without the unstable `net` flag has. */
export function nodeUdp(
  hostname = "127.0.0.1",
  family: number = AF_INET,
  port = 0,
): Socket {
  return Socket.from(
    bindNodeDatagram({ family, hostname, port, reuseAddr: false }),
  );
}

/** A UDP socket on a free port of the loopback. */
export function udp(host = "127.0.0.1", family: number = AF_INET): Socket {
  const socket = new Socket(family, SOCK_DGRAM);
  socket.bind([host, 0]);
  return socket;
}

/** A port of the loopback on which nobody listens. */
export function deadPort(): number {
  using listener = listen();
  return portOf(listener.getsockname());
}

/** The port of an address. */
export function portOf(address: Address): number {
  return Number(address[1]);
}

/** Receives until the end of the stream. */
export async function recvToEnd(socket: Socket, size = 65536): Promise<Bytes> {
  const pieces: Bytes[] = [];
  for (;;) {
    const piece = await within(socket.recv(size));
    if (piece.length === 0) return concat(pieces);
    pieces.push(piece);
  }
}

/** Joins pieces. */
export function concat(pieces: readonly Uint8Array[]): Bytes {
  const whole = new Uint8Array(
    pieces.reduce((sum, { length }) => sum + length, 0),
  );
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}

/** SHA-256 in hexadecimal. */
export function digest(data: Uint8Array): string {
  return createHash("sha256").update(data).digest("hex");
}

/** Bytes that are the same in every run and do not repeat soon. */
export function randomBytes(
  length: number,
  random: (below: number) => number,
): Bytes {
  return Uint8Array.from({ length }, () => random(256));
}

/** Bytes that count up from the first one. */
export function countingBytes(length: number, first: number): Bytes {
  return new Uint8Array(length).map((_, i) => first + i);
}

const TCP: TransportAddr = { transport: "tcp", hostname: "127.0.0.1", port: 1 };

/** What a read of {@linkcode FakeStream} does: bring bytes or an error, end, or wait. */
export type Read = Bytes | null | Error | Promise<Bytes | null>;

/** A connection in memory. Its reads are played in order; later ones wait until it is closed. */
export class FakeStream implements StreamTransport {
  readonly localAddr: TransportAddr = TCP;
  readonly remoteAddr: TransportAddr = TCP;
  /** What is still to be read. */
  readonly reads: Read[];
  /** The size of each buffer that was read into. */
  readonly sizes: number[] = [];
  /** What was written. */
  readonly written: Bytes[] = [];
  /** The calls that change something, by name. */
  readonly calls: string[] = [];
  readonly #closed = Promise.withResolvers<never>();

  constructor(...reads: Read[]) {
    this.reads = reads;
    this.#closed.promise.catch(() => {});
  }

  async read(p: Uint8Array): Promise<number | null> {
    this.sizes.push(p.length);
    const step = this.reads.length > 0
      ? this.reads.shift()!
      : this.#closed.promise;
    if (step instanceof Error) throw step;
    const data = await step;
    if (data === null) return null;
    p.set(data.subarray(0, p.length));
    if (data.length > p.length) this.reads.unshift(data.subarray(p.length));
    return Math.min(data.length, p.length);
  }

  write(p: Uint8Array): Promise<number> {
    this.written.push(p.slice() as Bytes);
    return Promise.resolve(p.length);
  }

  closeWrite(): Promise<void> {
    this.calls.push("closeWrite");
    return Promise.resolve();
  }

  close(): void {
    this.calls.push("close");
    this.#closed.reject(new Deno.errors.BadResource("closed"));
  }
}

/** A limit of time that sets no timer: the test makes it run out. */
export function timeoutByHand(syscall = "recv"): Timeout {
  const timer = new SharedTimer();
  timer.stop();
  return new Timeout(timer, 3600, syscall);
}

/** A datagram socket in memory. */
export class FakeDatagram implements DatagramTransport {
  readonly addr: TransportAddr = {
    transport: "udp",
    hostname: "127.0.0.1",
    port: 1,
  };
  /** What was sent. */
  readonly sent: Bytes[] = [];
  /** What is still to be received. */
  readonly received: (Bytes | Error)[];

  constructor(...received: (Bytes | Error)[]) {
    this.received = received;
  }

  receive(p: Uint8Array): Promise<[Uint8Array, TransportAddr]> {
    const next = this.received.shift();
    if (next === undefined) return Promise.withResolvers<never>().promise;
    if (next instanceof Error) return Promise.reject(next);
    p.set(next);
    return Promise.resolve([p.subarray(0, next.length), this.addr]);
  }

  send(p: Uint8Array, _addr?: TransportAddr): Promise<number> {
    this.sent.push(p.slice() as Bytes);
    return Promise.resolve(p.length);
  }

  close(): void {}
}

/** A signal whose listeners are counted. */
export class Aborting extends AbortController {
  /** How many listeners the signal has. */
  listeners = 0;
  /** The most listeners that the signal had at a time. */
  most = 0;

  constructor() {
    super();
    const { signal } = this;
    const { addEventListener, removeEventListener } = signal;
    signal.addEventListener = (...args: unknown[]) => {
      this.most = Math.max(this.most, ++this.listeners);
      return Reflect.apply(addEventListener, signal, args);
    };
    signal.removeEventListener = (...args: unknown[]) => {
      this.listeners--;
      return Reflect.apply(removeEventListener, signal, args);
    };
  }
}

/** What a call throws, be it an error or not. */
export async function thrownBy(call: Promise<unknown>): Promise<unknown> {
  try {
    await within(call);
  } catch (error) {
    return error;
  }
  throw new Error("the call did not reject");
}

/** Keeps the event loop busy, as a handler that computes does. */
export function compute(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end);
}
