/**
 * Connects sockets.
 *
 * @module
 */

import {
  type AddressLike,
  checkAddress,
  formatAddress,
} from "../base/address.ts";
import {
  type AbortOptions,
  checkAborted,
  checkSignal,
  untilAborted,
} from "../waiting/abort.ts";
import type { WaitLimit } from "../waiting/timeouts.ts";
import { failLater } from "../waiting/turns.ts";
import { whenReady } from "../waiting/when_ready.ts";
import { SOCK_DGRAM } from "../base/constants.ts";
import { ensureBound, rebind } from "./binding.ts";
import { getsockname } from "./socket_addresses.ts";
import type { Attempt, SocketState } from "./state.ts";
import { type ErrnoName, errnoOf } from "../base/errno.ts";
import { GaiError, OSError, TimeoutError } from "../base/errors.ts";
import { osError } from "../base/translate_error.ts";
import { datagramTarget, openStream } from "../runtime/opening/open.ts";
import { PendingOperation } from "../waiting/pending_operation.ts";
import { scopedDatagram, scopeOf } from "../runtime/deno/scope_id.ts";

/** Connects a socket within its timeout. */
export async function connect(
  state: SocketState,
  address: AddressLike,
  options: AbortOptions,
): Promise<void> {
  try {
    await connectChecked(state, address, options);
  } catch (error) {
    return await failLater(error);
  }
}

async function connectChecked(
  state: SocketState,
  address: AddressLike,
  { signal }: AbortOptions,
): Promise<void> {
  state.checkOpen("connect");
  const checked = checkAddress(state.family, address, "connect");
  checkSignal(signal, "connect");
  checkAborted(signal);
  if (state.type === SOCK_DGRAM) {
    return await connectDatagram(state, checked, signal);
  }
  await connectStream(state, checked, signal);
}

async function connectStream(
  state: SocketState,
  checked: AddressLike,
  signal: AbortSignal | undefined,
): Promise<void> {
  if (state.listening) {
    const reason = "the socket listens";
    throw osError("EINVAL", { syscall: "connect", reason });
  }
  const before = state.attempt;
  if (before === undefined && state.stream !== undefined) {
    throw connectError("EISCONN", checked);
  }
  if (state.timeout === 0 && !before?.operation.ready) {
    if (before !== undefined) throw connectError("EALREADY", checked);
    begin(state, checked);
    throw connectError("EINPROGRESS", checked);
  }
  const limit = state.limit("connect", state.timeout, signal);
  await end(state, before ?? begin(state, checked), limit);
}

function connectError(code: ErrnoName, address: AddressLike): OSError {
  return osError(code, { syscall: "connect", address: formatAddress(address) });
}

/** Begins an attempt. If it succeeds, it connects the socket, also if no call waits for it any more. */
function begin(state: SocketState, address: AddressLike): Attempt {
  const from = state.localAddress ??= state.listener && getsockname(state);
  state.listener?.close(); // a bound socket that connects keeps its address, not its listener
  state.listener = undefined;
  const aborter = new AbortController();
  const { signal } = aborter;
  const { family, pathOptions } = state;
  const opening = openStream({ family, address, from, pathOptions, signal });
  const taken = opening.then((transport) => {
    if (!signal.aborted) return state.take(transport);
    transport.close();
    throw connectError("ECONNABORTED", address);
  }, (error) => {
    if (from !== undefined && !signal.aborted) rebind(state);
    throw error;
  });
  const operation = new PendingOperation(() => taken); // a second call that waits gets the same result
  operation.nextChange(); // starts it
  return state.attempt = { operation, aborter };
}

/** Waits for the end of an attempt. Aborts the attempt if the time runs out. */
async function end(
  state: SocketState,
  attempt: Attempt,
  limit: WaitLimit,
): Promise<void> {
  const { operation, aborter } = attempt;
  try {
    await whenReady(operation, limit, "connect", () => operation.take());
  } catch (error) {
    aborter.abort(); // no effect on an attempt that failed by itself
    state.checkOpen("connect"); // EBADF, if the socket was closed meanwhile
    throw error;
  } finally {
    if (state.attempt === attempt) state.attempt = undefined;
  }
}

/** Waits for a `connect`, and returns the error number instead of throwing. */
export async function connectErrno(connecting: Promise<void>): Promise<number> {
  try {
    await connecting;
    return 0;
  } catch (error) {
    if (!(error instanceof OSError) || error instanceof GaiError) throw error;
    if (error instanceof TimeoutError && error.cause === undefined) {
      return errnoOf("EAGAIN");
    }
    if (error.errno === undefined) throw error;
    return error.errno;
  }
}

async function connectDatagram(
  state: SocketState,
  address: AddressLike,
  signal: AbortSignal | undefined,
): Promise<void> {
  const target = await untilAborted(
    async () => await datagramTarget(state.family, address),
    signal,
  );
  state.checkOpen("connect"); // the socket may be closed by then
  const datagram = ensureBound(state, target.hostname);
  datagram.peer = target;
  scopedDatagram(datagram.transport, scopeOf(target.hostname ?? ""));
}
