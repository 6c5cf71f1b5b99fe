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
} from "../runtime/transport/socket_options.ts";
import { defaults, type SocketState } from "./state.ts";

/** The settings in the state of a socket, async or blocking. */
export type SettingsState = Pick<
  SocketState,
  "type" | "listening" | "timeout" | "deadline" | "checkOpen" | "target"
>;

/**
 * Returns the timeout of new sockets, in seconds; null is no timeout.
 *
 * @category Sockets
 */
export function getdefaulttimeout(): number | null {
  return defaults.timeout;
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
  defaults.timeout = timeout;
}

/** Sets the timeout of a socket, also of a closed one, as CPython does. */
export function settimeout(state: SettingsState, seconds: number | null): void {
  checkTimeout(seconds);
  state.timeout = seconds;
  state.checkOpen("settimeout");
}

/** Sets the deadline of all calls of a socket. */
export function setdeadline(
  state: SettingsState,
  seconds: number | null,
): void {
  checkTimeout(seconds);
  state.checkOpen("setdeadline");
  state.deadline = seconds === null
    ? undefined
    : { seconds, due: performance.now() + seconds * 1000 };
}

/** Sets whether calls wait. */
export function setblocking(state: SettingsState, flag: boolean): void {
  state.timeout = flag ? null : 0;
  state.checkOpen("setblocking");
}

/** Sets an option. */
export function setsockopt(
  state: SettingsState,
  level: number,
  name: number,
  value: OptionValue,
): void {
  state.checkOpen("setsockopt");
  setOption(state.target(), level, name, value);
}

/**
 * Returns the value of an option.
 *
 * @param take Returns the failure that no call has thrown, once: for SO_ERROR.
 */
export function getsockopt(
  state: SettingsState,
  level: number,
  name: number,
  take: () => unknown = () => {},
): number {
  state.checkOpen("getsockopt");
  if (level !== SOL_SOCKET) return getOption(state.target(), level, name);
  if (name === SO_TYPE) return state.type;
  if (name === SO_ACCEPTCONN) return Number(state.listening);
  if (name === SO_ERROR) return errnoOfFailure(take());
  return getOption(state.target(), level, name);
}

function errnoOfFailure(error: unknown): number {
  if (error === undefined) return 0;
  return (error instanceof OSError ? error.errno : undefined) ?? errnoOf("EIO");
}

/** Returns the failure of a connect or a send that no call has thrown. Clears it. */
export function takeFailure(state: SocketState): unknown {
  return takeConnectError(state) ?? state.stream?.sendQueue.takeFailure();
}

/** Returns the failure of an attempt that no call has waited for. Clears it. */
function takeConnectError(state: SocketState): unknown {
  const { attempt } = state;
  if (
    attempt === undefined || state.stream !== undefined ||
    !attempt.operation.ready
  ) return undefined;
  state.attempt = undefined;
  try {
    attempt.operation.take();
  } catch (error) {
    return error;
  }
}
