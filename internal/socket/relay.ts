/**
 * The relay of a proxy: two connections, joined in both directions.
 *
 * @module
 */

import { SOCK_STREAM } from "../base/constants.ts";
import { awaitHint, numberHint } from "../base/message_hints.ts";
import { osError } from "../base/translate_error.ts";
import { warnOfMilliseconds } from "../base/warnings.ts";
import {
  type AbortOptions,
  checkSignal,
  onAbort,
  reasonOf,
} from "../waiting/abort.ts";
import { quiet, unawaited } from "../waiting/promises.ts";
import { setUnrefTimeout } from "../waiting/timeouts.ts";
import { descriptorsChecked, failLater } from "../waiting/turns.ts";
import { type Direction, directions } from "./relay_direction.ts";
import { Socket, stateOf } from "./socket_object.ts";
import type { Stream } from "./stream.ts";

/**
 * Options of {@linkcode relay}.
 *
 * @category Options
 */
export interface RelayOptions extends AbortOptions {
  /**
   * The seconds without a byte in either direction after which the relay fails; null is no limit.
   *
   * @default {null}
   */
  timeout?: number | null;
  /** Ends the relay: both sockets are aborted, and `relay` rejects with the signal's reason. */
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

/** Returns the streams of two sockets. Throws unless both are connected stream sockets. */
function connectionsOf(sockets: readonly Socket[]): Stream[] {
  const doing = "Cannot relay";
  for (const socket of sockets) {
    if (!(socket instanceof Socket) || socket.type !== SOCK_STREAM) {
      throw new TypeError(
        `${doing}: it needs two stream sockets, got ${socket}${
          awaitHint(socket)
        }`,
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

function checkIdleTimeout(timeout: unknown): asserts timeout is number | null {
  if (timeout === null) return;
  const doing = "Cannot relay: timeout must be";
  if (typeof timeout !== "number") {
    throw new TypeError(
      `${doing} a number or null, got ${typeof timeout}${numberHint(timeout)}`,
    );
  }
  if (!(timeout > 0 && timeout < Infinity)) {
    throw new RangeError(`${doing} finite and above 0, got ${timeout}`);
  }
  warnOfMilliseconds(timeout);
}

/** Fails when no byte has come or gone for some time. */
class IdleTimeout {
  readonly #milliseconds: number;
  readonly #fail: (error: Error) => void;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #last = performance.now();
  #stopped = false;

  constructor(seconds: number, fail: (error: Error) => void) {
    this.#milliseconds = seconds * 1000;
    this.#fail = fail;
    this.#check();
  }

  get #left(): number {
    return this.#last + this.#milliseconds - performance.now();
  }

  readonly #check = async (): Promise<void> => {
    if (this.#left <= 0) await descriptorsChecked(); // bytes may have come in time
    if (this.#stopped) return;
    if (this.#left > 0) {
      this.#timer = setUnrefTimeout(this.#check, Math.ceil(this.#left));
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
    this.#stopped = true;
    clearTimeout(this.#timer);
  }
}

/**
 * Joins two connections, as a proxy does: each byte that one sends goes to the other, in both directions, until both have
 * ended. The end of one direction is passed on with `shutdown(SHUT_WR)`, and the other direction goes on. A peer that
 * reads slowly slows the other one down: the relay holds one read of each direction, and no more.
 *
 * After an error, the timeout or the abort, `relay` aborts both sockets: a TCP peer sees a reset, and a TLS peer a
 * missing end, so neither mistakes a part of the data for the whole. On Unix sockets and a `Deno.TlsConn` the peer sees
 * an ordinary end. If a peer is slow to take the last bytes, the abort waits for a second. After success the sockets
 * stay open, and the caller closes them. The timeouts of the sockets do not apply. Nothing else may read or write
 * meanwhile.
 *
 * @param a A connected stream socket: of a client, for instance. Bytes that the socket has received already are passed
 *   on, but not those in the buffer of a file over the socket.
 * @param b Another connected stream socket: to the server behind the proxy, for instance.
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
    checkIdleTimeout(timeout);
    checkSignal(signal, "relay");
    return await join([a, b], connectionsOf([a, b]), timeout, signal);
  } catch (error) {
    return await failLater(error);
  }
}

async function join(
  [a, b]: Socket[],
  streams: Stream[],
  timeout: number | null,
  signal: AbortSignal | undefined,
): Promise<RelayReport> {
  const { promise: failed, reject } = Promise.withResolvers<never>();
  const idle = timeout === null ? undefined : new IdleTimeout(timeout, reject);
  const abort = () => reject(reasonOf(signal!));
  const forget = signal && onAbort(signal, abort);
  if (signal?.aborted) abort();
  const [up, down] = directions(streams, () => idle?.restart());
  try {
    const both = quiet(Promise.all([up.copy(), down.copy()]));
    const [sent, received] = await Promise.race([quiet(failed), both]);
    return { sent, received };
  } catch (error) {
    for (const direction of [up, down]) direction.stop();
    await Promise.all([resetAfter(down, a), resetAfter(up, b)]);
    throw error;
  } finally {
    idle?.stop();
    forget?.();
  }
}

/** Resets a connection after the last write to it. */
async function resetAfter(direction: Direction, to: Socket): Promise<void> {
  await direction.lastWrite();
  to.abort();
}
