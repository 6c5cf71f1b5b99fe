/**
 * The settings of a socket: its timeouts and options.
 *
 * @module
 */

import { checkTimeout } from "../base/arguments.ts";
import {
  SO_ACCEPTCONN,
  SO_ERROR,
  SO_TYPE,
  SOL_SOCKET,
} from "../base/constants.ts";
import { errnoOf } from "../base/errno.ts";
import { OSError } from "../base/errors.ts";
import {
  getOption,
  type OptionValue,
  setOption,
} from "../runtime/socket_options.ts";
import { takeConnectError } from "./connect.ts";
import type { SocketState } from "./state.ts";

let defaultTimeout: number | null = null;

/**
 * Returns the timeout of new sockets, in seconds; null is no timeout.
 *
 * @category Sockets
 */
export function getdefaulttimeout(): number | null {
  return defaultTimeout;
}

/**
 * Sets the timeout of new sockets.
 *
 * @param timeout Seconds; 0 never waits, null waits without limit.
 * @throws {RangeError} if the timeout is negative or not finite.
 * @category Sockets
 */
export function setdefaulttimeout(timeout: number | null): void {
  checkTimeout(timeout);
  defaultTimeout = timeout;
}

/** Sets the timeout of a socket, also of a closed one, as CPython does. */
export function settimeout(state: SocketState, seconds: number | null): void {
  checkTimeout(seconds);
  state.timeout = seconds;
  state.checkOpen("settimeout");
}

/** Sets the deadline of all calls of a socket. */
export function setdeadline(state: SocketState, seconds: number | null): void {
  checkTimeout(seconds);
  state.checkOpen("setdeadline");
  state.deadline = seconds === null
    ? undefined
    : { seconds, due: performance.now() + seconds * 1000 };
}

/** Sets whether calls wait. */
export function setblocking(state: SocketState, flag: boolean): void {
  state.timeout = flag ? null : 0;
  state.checkOpen("setblocking");
}

/** Sets an option. */
export function setsockopt(
  state: SocketState,
  level: number,
  name: number,
  value: OptionValue,
): void {
  state.checkOpen("setsockopt");
  setOption(state.target(), level, name, value);
}

/** Returns the value of an option. */
export function getsockopt(
  state: SocketState,
  level: number,
  name: number,
): number {
  state.checkOpen("getsockopt");
  if (level === SOL_SOCKET && name === SO_TYPE) return state.type;
  if (level === SOL_SOCKET && name === SO_ACCEPTCONN) {
    return Number(state.listening);
  }
  if (level === SOL_SOCKET && name === SO_ERROR) return takeError(state);
  return getOption(state.target(), level, name);
}

/** Returns the errno of the failure that no call has thrown, once. */
function takeError(state: SocketState): number {
  const error = takeConnectError(state) ??
    state.stream?.sendQueue.takeFailure();
  if (error === undefined) return 0;
  return (error instanceof OSError ? error.errno : undefined) ?? errnoOf("EIO");
}
