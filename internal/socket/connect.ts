/**
 * Connecting.
 *
 * @module
 */

import {
  type AddressLike,
  checkAddress,
  formatAddress,
} from "../base/address.ts";
import { failLater, whenReady } from "../waiting/timeouts.ts";
import { SOCK_DGRAM } from "../base/constants.ts";
import type { Attempt, SocketCore } from "./state.ts";
import type { ErrnoName } from "../base/errno.ts";
import { type OSError, osError } from "../base/errors.ts";
import { datagramTarget, openStream } from "../runtime/open.ts";
import { PendingOperation } from "../waiting/pending_operation.ts";

/** Connects a socket, within its timeout. */
export async function connect(
  core: SocketCore,
  address: AddressLike,
): Promise<void> {
  try {
    await connectNow(core, address);
  } catch (error) {
    return await failLater(error);
  }
}

async function connectNow(
  core: SocketCore,
  address: AddressLike,
): Promise<void> {
  core.checkOpen("connect");
  const checked = checkAddress(core.family, address, "connect");
  if (core.type === SOCK_DGRAM) return await connectDatagram(core, checked);
  if (core.listening) {
    throw osError("EINVAL", {
      syscall: "connect",
      reason: "the socket listens",
    });
  }
  const before = core.attempt;
  if (before === undefined && core.stream !== undefined) {
    throw connectError("EISCONN", checked);
  }
  if (core.timeout === 0 && !before?.operation.ready) {
    if (before !== undefined) throw connectError("EALREADY", checked);
    begin(core, checked);
    throw connectError("EINPROGRESS", checked);
  }
  await end(core, before ?? begin(core, checked));
}

function connectError(code: ErrnoName, address: AddressLike): OSError {
  return osError(code, { syscall: "connect", address: formatAddress(address) });
}

/** Begins an attempt, which connects the socket when it succeeds, awaited or not. */
function begin(core: SocketCore, address: AddressLike): Attempt {
  const from = core.own ??= core.listener && core.getsockname();
  core.listener?.close(); // a bound socket that connects keeps its address, not its listener
  core.listener = undefined;
  const giveUp = new AbortController();
  const { signal } = giveUp;
  const { family } = core;
  const opening = openStream({ family, address, from, signal });
  const taken = opening.then((transport) => {
    if (!signal.aborted) return core.take(transport);
    transport.close();
    throw connectError("ECONNABORTED", address);
  }, (error) => {
    if (from !== undefined && !signal.aborted) core.holdOwn();
    throw error;
  });
  const operation = new PendingOperation(() => taken); // a second call that waits gets the same end
  operation.fill();
  return core.attempt = { operation, giveUp };
}

/** Waits for the end of an attempt; gives it up when the time runs out. */
async function end(core: SocketCore, attempt: Attempt): Promise<void> {
  const { operation, giveUp } = attempt;
  try {
    await whenReady(
      operation,
      core.limit("connect"),
      "connect",
      () => operation.take(),
    );
  } catch (error) {
    giveUp.abort(); // where it failed by itself, this has nothing to do
    core.checkOpen("connect"); // where it was closed, that is the reason
    throw error;
  } finally {
    if (core.attempt === attempt) core.attempt = undefined;
  }
}

async function connectDatagram(
  core: SocketCore,
  address: AddressLike,
): Promise<void> {
  const target = await datagramTarget(core.family, address);
  core.checkOpen("connect"); // a name may have taken its time
  core.bound(target.hostname).peer = target;
}

/** The failure of an attempt that nobody waited for, once. */
export function takeConnectError(core: SocketCore): unknown {
  const { attempt } = core;
  if (
    attempt === undefined || core.stream !== undefined ||
    !attempt.operation.ready
  ) return undefined;
  core.attempt = undefined;
  try {
    attempt.operation.take();
  } catch (error) {
    return error;
  }
}
