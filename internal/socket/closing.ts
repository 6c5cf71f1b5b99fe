/**
 * The end of a connection: of one direction, and of the socket.
 *
 * @module
 */

import { checkDirection } from "../base/arguments.ts";
import { SHUT_RD, SHUT_WR } from "../base/constants.ts";
import { type AbortOptions, checkSignal, endOf } from "../waiting/abort.ts";
import { unawaited } from "../waiting/promises.ts";
import { failLater } from "../waiting/turns.ts";
import { osError } from "../base/translate_error.ts";
import { DenoDatagram } from "../runtime/deno/deno_datagram.ts";
import type { Transport } from "../runtime/transport/transport.ts";
import { UnixDatagram } from "../runtime/unix/unix_datagram.ts";
import type { SocketState } from "./state.ts";

/** Shuts down one direction of a connection, or both. */
export async function shutdown(
  state: SocketState,
  how: number,
  { signal }: AbortOptions,
): Promise<void> {
  try {
    checkSignal(signal, "shutdown");
    state.checkOpen("shutdown");
    checkDirection(how);
    const stream = state.connected("shutdown", "ENOTCONN");
    const limit = state.limit("shutdown", undefined, signal);
    if (how !== SHUT_WR) stream.receiveBuffer.stop();
    if (how !== SHUT_RD) await stream.endWrite(limit);
  } catch (error) {
    return await failLater(error);
  }
}

/** Returns the transport of a socket, and closes the socket without it. */
export function detach(state: SocketState): Transport {
  const { endpoint } = state;
  if (endpoint === undefined) throw osError("ENOTCONN", { syscall: "detach" });
  if (endpoint.busy) {
    const reason = "data or a call in flight would be lost";
    throw osError("EBUSY", { syscall: "detach", reason });
  }
  state.stream = state.listener = state.datagram = undefined;
  state.close(false);
  const { transport } = endpoint;
  const wrapped = transport instanceof DenoDatagram ||
    transport instanceof UnixDatagram;
  return wrapped ? transport.detach() : transport;
}

/** Resolves when the socket is closed and the system has released it. */
export function waitClosed(
  state: SocketState,
  { signal }: AbortOptions,
): Promise<void> {
  const released = state.whenReleased();
  if (signal === undefined) return released;
  return unawaited(endOf(released, signal, "waitClosed"));
}
