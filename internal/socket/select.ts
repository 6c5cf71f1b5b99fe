/**
 * Waits until sockets are ready.
 *
 * @module
 */

import { checkIterable, checkTimeout } from "../base/arguments.ts";
import { osError } from "../base/translate_error.ts";
import {
  type AbortOptions,
  checkAborted,
  checkSignal,
} from "../waiting/abort.ts";
import { type Readiness, READY } from "../waiting/pending_operation.ts";
import { anyReady } from "../waiting/when_ready.ts";
import { Start } from "../waiting/start.ts";
import { failLater } from "../waiting/turns.ts";
import { ownerOf } from "./fileno.ts";
import { Socket, stateOf } from "./socket_object.ts";
import type { SocketState } from "./state.ts";

/**
 * An argument of {@linkcode select}: a socket, a server or another object with a `fileno`, or the number itself.
 *
 * @category Sockets
 */
export type Selectable = number | { fileno(): number };

/**
 * Waits until sockets are ready: Python's `select.select`. Data that arrives stays with its socket. If one socket is
 * ready at once, another one whose data is still in the system may be reported only by a later call.
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
    return await selectChecked([rlist, wlist, xlist], timeout, options);
  } catch (error) {
    return await failLater(error);
  }
}

async function selectChecked<
  R extends Selectable,
  W extends Selectable,
  X extends Selectable,
>(
  [rlist, wlist, xlist]: [Iterable<R>, Iterable<W>, Iterable<X>],
  timeout: number | null,
  { signal }: AbortOptions,
): Promise<[R[], W[], X[]]> {
  checkSelect(rlist, wlist, xlist, timeout, signal);
  const lists: [R[], W[], X[]] = [[...rlist], [...wlist], [...xlist]];
  checkAborted(signal);
  const starts = lists.flat().map(startOf).filter((start) =>
    start !== undefined
  );
  if (starts.length > 0) {
    const left = await allStarted(starts, timeout, signal);
    if (left === undefined) return [[], [], []];
    timeout = left;
  }
  return await selectStarted(lists, timeout, signal);
}

/** Checks the arguments of a `select`, async or blocking. */
export function checkSelect(
  rlist: unknown,
  wlist: unknown,
  xlist: unknown,
  timeout: number | null,
  signal: AbortSignal | undefined,
): void {
  checkTimeout(timeout);
  checkSignal(signal, "select");
  checkIterable(rlist, "select", "rlist");
  checkIterable(wlist, "select", "wlist");
  checkIterable(xlist, "select", "xlist");
}

async function selectStarted<
  R extends Selectable,
  W extends Selectable,
  X extends Selectable,
>(
  [rlist, wlist, xlist]: [R[], W[], X[]],
  timeout: number | null,
  signal: AbortSignal | undefined,
): Promise<[R[], W[], X[]]> {
  const readers = rlist.map((item): [R, Readiness] => [
    item,
    readReadiness(stateOf(socketOf(item))),
  ]);
  const writers = wlist.map((item): [W, Readiness] => [
    item,
    writeReadiness(stateOf(socketOf(item))),
  ]);
  for (const item of xlist) socketOf(item);
  const sources = [...readers, ...writers].map(([, source]) => source);
  await anyReady(sources, timeout, signal);
  return [readyOf(readers), readyOf(writers), []];
}

function startOf(item: Selectable): Start | undefined {
  return typeof item === "number" ? undefined : Start.of(item);
}

/**
 * Waits until the servers among the items are bound. Throws the error of one that cannot be.
 *
 * @returns The seconds that are left; undefined if the time ran out.
 */
async function allStarted(
  starts: Start[],
  timeout: number | null,
  signal: AbortSignal | undefined,
): Promise<number | null | undefined> {
  const due = performance.now() + (timeout ?? Infinity) * 1000;
  const left = () =>
    timeout === null ? null : Math.max(0, due - performance.now()) / 1000;
  for (const start of starts) {
    await anyReady([start], left(), signal);
    if (!start.ready) return undefined;
    start.check();
  }
  return left();
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

/** Returns the readiness of a read or an accept. Keeps the process alive meanwhile. */
export function readReadiness(state: SocketState): Readiness {
  state.ref();
  if (state.handshake !== undefined) return state.handshake;
  if (state.stream !== undefined) return state.stream.receiveBuffer;
  if (state.attempt !== undefined) {
    return firstData(state, state.attempt.operation);
  }
  if (state.listening) return state.listener!.pending;
  return state.datagram?.pending ?? READY;
}

/** Returns the readiness of data, or of a failed `connect`. */
function firstData(state: SocketState, connecting: Readiness): Readiness {
  const source = () => state.stream?.receiveBuffer ?? connecting;
  return {
    get ready() {
      return source().ready;
    },
    nextChange: () => source().nextChange(),
  };
}

/** Returns the readiness of a write, or the end of a `connect`. */
function writeReadiness(state: SocketState): Readiness {
  if (state.handshake !== undefined) return state.handshake;
  if (state.stream !== undefined) return state.stream.sendQueue;
  return state.attempt?.operation ?? state.datagram?.sending ?? READY;
}
