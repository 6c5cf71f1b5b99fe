/**
 * Closes a socket without losing the bytes that were sent.
 *
 * @module
 */

import { checkTimeout } from "../base/arguments.ts";
import { SHUT_WR } from "../base/constants.ts";
import { OSError } from "../base/errors.ts";
import {
  type AbortOptions,
  checkAborted,
  checkSignal,
} from "../waiting/abort.ts";
import { nextTurn } from "../waiting/turns.ts";

/** The most bytes dropped at a time. Arbitrary. */
const CHUNK = 16384;

/**
 * The methods of a socket that a lingering close calls.
 *
 * @typeParam V The result of `shutdown`, which a `Socket` promises and a `BlockingSocket` returns.
 * @typeParam N The result of `recvInto`.
 */
interface LingeringSocket<V, N> {
  settimeout(seconds: number | null): void;
  setdeadline(seconds: number | null): void;
  shutdown(how: number, options: AbortOptions): V;
  recvInto(
    buffer: Uint8Array,
    nbytes: number,
    flags: number | AbortOptions,
  ): N;
  close(): void;
}

/**
 * The steps of a lingering close: ends sending, drops received bytes until the peer closes, and closes. Yields the
 * result of each call that waits, for a shell to await it. The limit is time and not bytes, as in nginx: a limit in
 * bytes would cut off a peer with a large upload, which then loses the answer.
 */
function* steps<V, N>(
  socket: LingeringSocket<V, N>,
  seconds: number,
  timeout: number,
  options: AbortOptions,
): Generator<V | N, void, void | number> {
  checkTimeout(seconds);
  checkTimeout(timeout);
  checkSignal(options.signal, "lingeringClose");
  try {
    socket.settimeout(null);
    socket.setdeadline(seconds);
    yield socket.shutdown(SHUT_WR, options);
    socket.settimeout(timeout);
    const dropped = new Uint8Array(CHUNK);
    const flags = options.signal === undefined ? 0 : options;
    while (yield socket.recvInto(dropped, 0, flags));
  } catch (error) {
    checkAborted(options.signal);
    if (!(error instanceof OSError)) throw error; // the peer has gone, or takes too long
  } finally {
    socket.close();
  }
}

/**
 * Closes a `Socket`; see {@linkcode steps}.
 *
 * @param socket The socket. Closed at the end, also after an error.
 * @param seconds The limit of the whole close.
 * @param timeout The limit of the wait for more bytes.
 * @param options A signal that closes the socket at once.
 */
export async function lingeringClose(
  socket: LingeringSocket<Promise<void>, Promise<number>>,
  seconds: number,
  timeout: number,
  options: AbortOptions,
): Promise<void> {
  const close = steps(socket, seconds, timeout, options);
  for (let step = close.next(); !step.done;) {
    step = await step.value.then(
      (result) => close.next(result),
      (error) => close.throw(error),
    );
  }
  await nextTurn(); // a loop that closes a closed socket must not starve everything else
}

/** Closes a `BlockingSocket`, and blocks meanwhile. The parameters are those of {@linkcode lingeringClose}. */
export function lingeringCloseSync(
  socket: LingeringSocket<void, number>,
  seconds: number,
  timeout: number,
  options: AbortOptions,
): void {
  const close = steps(socket, seconds, timeout, options);
  for (let step = close.next(); !step.done;) step = close.next(step.value);
}
