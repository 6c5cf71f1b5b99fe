/**
 * The end of TLS on a connection that goes on.
 *
 * @module
 */

import { osError } from "../base/errors.ts";
import type { TlsStream } from "../runtime/tls_stream.ts";
import { Socket, stateOf } from "../socket/socket_object.ts";
import type { Stream } from "../socket/stream.ts";
import { PendingOperation } from "../waiting/pending_operation.ts";
import { whenReady } from "../waiting/ready.ts";
import type { WaitLimit } from "../waiting/timeouts.ts";

/**
 * Ends the session of a socket, which counts as closed afterwards.
 *
 * @param plain The stream under the session.
 * @returns The plain socket.
 */
export async function endSession(
  socket: Socket,
  plain: Stream,
  transport: TlsStream,
  limit: WaitLimit,
): Promise<Socket> {
  const state = stateOf(socket);
  const { receiveBuffer, sendQueue } = state.connected("unwrap", "ENOTCONN");
  if (receiveBuffer.reading && !receiveBuffer.ready || receiveBuffer.awaited) {
    const reason = "a read is in flight";
    throw osError("EBUSY", { syscall: "unwrap", reason });
  }
  try {
    await sendQueue.flush();
    const unread = receiveBuffer.available > 0;
    const ended = new PendingOperation(() => transport.unwrap(unread));
    await whenReady(ended, limit, "unwrap", () => ended.take());
    state.give();
    return plainSocket(socket, plain);
  } catch (error) {
    socket.abort();
    throw error;
  }
}

/** Makes a plain socket with the settings of the one with TLS. */
function plainSocket(from: Socket, stream: Stream): Socket {
  const socket = new Socket(from.family, from.type, from.proto);
  const { timeout, deadline, options } = stateOf(from);
  const state = stateOf(socket);
  Object.assign(state, { timeout, deadline, options, stream });
  return socket;
}
