/**
 * Waits until sockets are ready.
 *
 * @module
 */

import { checkIterable, checkTimeout } from "../base/arguments.ts";
import { osError } from "../base/errors.ts";
import {
  type AbortOptions,
  checkAborted,
  checkSignal,
} from "../waiting/abort.ts";
import type { Readiness } from "../waiting/pending_operation.ts";
import { anyReady } from "../waiting/ready.ts";
import { failLater } from "../waiting/timeouts.ts";
import { ownerOf } from "./fileno.ts";
import { Socket, stateOf } from "./socket_object.ts";

/**
 * An argument of {@linkcode select}: a socket, a server or another object with a `fileno`, or the number itself.
 *
 * @category Sockets
 */
export type Selectable = number | { fileno(): number };

/**
 * Waits until sockets are ready. Data that arrives stays with its socket. If one socket is ready at once, another whose
 * data is still in the system may be found only by a later call.
 *
 * @param rlist Ready when `recv` or `accept` would not wait.
 * @param wlist Ready when `send` would not wait, or a `connect` has ended.
 * @param xlist Never ready: Deno has no out-of-band data.
 * @param timeout Seconds; null waits without limit, 0 only polls.
 * @param options A signal that ends the wait.
 * @returns The ready items of each list, in its order; all empty after the timeout.
 * @throws {OSError} EBADF for a closed socket or an unknown number.
 * @category Sockets
 * @example
 * ```ts
 * import { deepStrictEqual } from "node:assert/strict";
 * import { createServer, select } from "@socketserver/socketserver";
 *
 * using listener = createServer(["127.0.0.1", 0]);
 * deepStrictEqual(await select([listener], [], [], 0), [[], [], []]);
 * ```
 */
export async function select<
  R extends Selectable,
  W extends Selectable,
  X extends Selectable,
>(
  rlist: Iterable<R>,
  wlist: Iterable<W>,
  xlist: Iterable<X>,
  timeout: number | null = null,
  options: AbortOptions = {},
): Promise<[R[], W[], X[]]> {
  try {
    return await selectNow([rlist, wlist, xlist], timeout, options);
  } catch (error) {
    return await failLater(error);
  }
}

async function selectNow<
  R extends Selectable,
  W extends Selectable,
  X extends Selectable,
>(
  [rlist, wlist, xlist]: [Iterable<R>, Iterable<W>, Iterable<X>],
  timeout: number | null,
  { signal }: AbortOptions,
): Promise<[R[], W[], X[]]> {
  checkTimeout(timeout);
  checkSignal(signal, "select");
  checkIterable(rlist, "select", "rlist");
  checkIterable(wlist, "select", "wlist");
  checkIterable(xlist, "select", "xlist");
  const readers = Array.from(
    rlist,
    (item): [R, Readiness] => [item, stateOf(socketOf(item)).readable],
  );
  const writers = Array.from(
    wlist,
    (item): [W, Readiness] => [item, stateOf(socketOf(item)).writable],
  );
  for (const item of xlist) socketOf(item);
  const sources = [...readers, ...writers].map(([, source]) => source);
  checkAborted(signal);
  await anyReady(sources, timeout, signal);
  return [readyOf(readers), readyOf(writers), []];
}

function readyOf<T>(pairs: [T, Readiness][]): T[] {
  return pairs.filter(([, source]) => source.ready).map(([item]) => item);
}

/** Returns the open socket of a {@linkcode Selectable}. */
export function socketOf(item: Selectable): Socket {
  const fileno = typeof item === "number" ? item : item.fileno();
  const socket = ownerOf(fileno);
  if (socket instanceof Socket) return socket;
  throw osError("EBADF", {
    syscall: "select",
    reason: `no open socket has the number ${fileno}`,
  });
}
