/**
 * The readiness of a socket, for `select` and the loops of servers.
 *
 * @module
 */

import { type Readiness, READY } from "../waiting/pending_operation.ts";
import type { SocketState } from "./state.ts";

/** Returns the readiness of a read or an accept. Keeps the process alive meanwhile. */
export function readReadiness(state: SocketState): Readiness {
  state.resume();
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
    fill: () => source().fill(),
  };
}

/** Returns the readiness of a write, or the end of a `connect`. */
export function writeReadiness(state: SocketState): Readiness {
  if (state.handshake !== undefined) return state.handshake;
  if (state.stream !== undefined) return state.stream.sendQueue;
  return state.attempt?.operation ?? state.datagram?.sending ?? READY;
}
