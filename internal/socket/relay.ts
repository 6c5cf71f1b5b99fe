/**
 * The relay of a proxy: two connections, joined in both directions.
 *
 * @module
 */

import { SOCK_STREAM } from "../base/constants.ts";
import { osError } from "../base/errors.ts";
import {
  type AbortOptions,
  checkSignal,
  onAbort,
  reasonOf,
} from "../waiting/abort.ts";
import { quiet, unawaited } from "../waiting/promises.ts";
import { failLater, setUnrefTimeout } from "../waiting/timeouts.ts";
import { RelayBuffer } from "./relay_buffer.ts";
import { Socket, stateOf } from "./socket_object.ts";
import type { Stream } from "./stream.ts";

/**
 * Options of {@linkcode relay}.
 *
 * @category Options
 */
export interface RelayOptions extends AbortOptions {
  /** The seconds without a byte in either direction after which the relay fails; null is no limit. @default {null} */
  timeout?: number | null;
  /** Ends the relay: both sockets are aborted, and it rejects with the signal's reason. */
  signal?: AbortSignal;
}

/**
 * The bytes that a {@linkcode relay} has passed on.
 *
 * @category Sockets
 */
export interface RelayReport {
  /** The number of bytes from the first socket to the second. */
  sent: number;
  /** The number of bytes from the second socket to the first. */
  received: number;
}

/** Fails when nothing has happened for some time. */
class IdleTimeout {
  readonly #milliseconds: number;
  readonly #fail: (error: Error) => void;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #last = performance.now();

  constructor(seconds: number, fail: (error: Error) => void) {
    this.#milliseconds = seconds * 1000;
    this.#fail = fail;
    this.#check();
  }

  readonly #check = (): void => {
    const left = this.#last + this.#milliseconds - performance.now();
    if (left > 0) {
      this.#timer = setUnrefTimeout(this.#check, Math.ceil(left));
      return;
    }
    const reason = `no byte came for ${this.#milliseconds / 1000} s`;
    this.#fail(osError("ETIMEDOUT", { syscall: "relay", reason }));
  };

  /** Restarts the time. */
  restart(): void {
    this.#last = performance.now();
  }

  stop(): void {
    clearTimeout(this.#timer);
  }
}

/** Returns the connections, or throws for arguments that are none. */
function connectionsOf(sockets: readonly Socket[]): Stream[] {
  const doing = "Cannot relay";
  for (const socket of sockets) {
    if (!(socket instanceof Socket) || socket.type !== SOCK_STREAM) {
      throw new TypeError(
        `${doing}: it needs two stream sockets, got ${socket}`,
      );
    }
  }
  if (sockets[0] === sockets[1]) {
    throw new TypeError(`${doing} a socket to itself`);
  }
  return sockets.map((socket) => {
    const state = stateOf(socket);
    state.checkOpen("relay");
    return state.connected("relay", "ENOTCONN");
  });
}

function checkTimeout(timeout: unknown): asserts timeout is number | null {
  if (timeout === null) return;
  const doing = "Cannot relay: timeout must be";
  if (typeof timeout !== "number") {
    throw new TypeError(`${doing} a number or null, got ${typeof timeout}`);
  }
  if (!(timeout > 0 && timeout < Infinity)) {
    throw new RangeError(`${doing} finite and above 0, got ${timeout}`);
  }
}

/** Passes on all bytes of a direction, and then its end. Returns their number. */
async function copy(
  from: Stream,
  to: Stream,
  idle: IdleTimeout | undefined,
): Promise<number> {
  const buffer = new RelayBuffer(from);
  let total = 0;
  try {
    for (;;) {
      const bytes = await buffer.next();
      if (bytes.length === 0) break;
      idle?.restart();
      await to.sendall(bytes, null);
      idle?.restart();
      total += bytes.length;
    }
    buffer.release();
  } finally {
    buffer.drop();
  }
  await to.endWrite(null);
  return total;
}

/**
 * Joins two connections, as a proxy does: each byte that one sends goes to the other, in both directions, until both have
 * ended. The end of one direction is passed on with `shutdown(SHUT_WR)`, and the other direction goes on. A peer that
 * reads slowly slows the other one down: the relay holds one read of each direction, and no more.
 *
 * After an error, the timeout or the abort, both sockets are aborted, so that a TCP peer sees a reset, and does not take
 * a part of the data for all of it. After success they stay open, and the caller closes them. The timeouts of the sockets
 * do not apply. Nothing else may read or write meanwhile.
 *
 * @param a A connected stream socket: of a client, for instance. Bytes that it has received already are passed on; but not
 *   those in a file over it.
 * @param b Another one: of the server that the client wants.
 * @param options The limit for idle connections, and a signal.
 * @returns The number of bytes of each direction, after the end of both.
 * @throws {OSError} The first failure of a socket; ENOTCONN if one is not connected.
 * @throws {TimeoutError} after `timeout` seconds without a byte.
 * @throws {TypeError} for the same socket twice, or a datagram socket.
 * @throws {RangeError} if the timeout is not above 0.
 * @category Sockets
 * @example A proxy
 * ```ts
 * import { strictEqual } from "node:assert/strict";
 * import {
 *   AsyncTCPServer,
 *   BaseRequestHandler,
 *   createConnection,
 *   relay,
 *   StreamRequestHandler,
 * } from "@socketserver/socketserver";
 *
 * class Hello extends StreamRequestHandler {
 *   override async handle() {
 *     await this.wfile.write("hello");
 *   }
 * }
 *
 * await using backend = new AsyncTCPServer(["127.0.0.1", 0], Hello);
 *
 * class Proxy extends BaseRequestHandler {
 *   override async handle() {
 *     using upstream = await createConnection(backend.serverAddress);
 *     await relay(this.request, upstream, { timeout: 60 });
 *   }
 * }
 *
 * await using proxy = new AsyncTCPServer(["127.0.0.1", 0], Proxy);
 * const serving = [backend.serveForever(), proxy.serveForever()];
 * using client = await createConnection(proxy.serverAddress);
 * strictEqual(new TextDecoder().decode(await client.recv(100)), "hello");
 * client.close();
 * await Promise.all([proxy.shutdown(), backend.shutdown(), ...serving]);
 * ```
 */
export function relay(
  a: Socket,
  b: Socket,
  options: RelayOptions = {},
): Promise<RelayReport> {
  return unawaited(relayAll(a, b, options));
}

async function relayAll(
  a: Socket,
  b: Socket,
  { timeout = null, signal }: RelayOptions,
): Promise<RelayReport> {
  try {
    checkTimeout(timeout);
    checkSignal(signal, "relay");
    const [first, second] = connectionsOf([a, b]);
    return await join(first, second, timeout, signal).catch((error) => {
      for (const socket of [a, b]) socket.abort();
      throw error;
    });
  } catch (error) {
    return await failLater(error);
  }
}

async function join(
  first: Stream,
  second: Stream,
  timeout: number | null,
  signal: AbortSignal | undefined,
): Promise<RelayReport> {
  if (signal?.aborted) throw reasonOf(signal);
  const { promise: failed, reject } = Promise.withResolvers<never>();
  const idle = timeout === null ? undefined : new IdleTimeout(timeout, reject);
  const forget = signal && onAbort(signal, () => reject(reasonOf(signal)));
  try {
    const copies = [copy(first, second, idle), copy(second, first, idle)];
    const both = quiet(Promise.all(copies));
    const [sent, received] = await Promise.race([both, quiet(failed)]);
    return { sent, received };
  } finally {
    idle?.stop();
    forget?.();
  }
}
