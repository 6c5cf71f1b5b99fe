/**
 * Binding, listening and accepting.
 *
 * @module
 */

import {
  type AddressLike,
  checkAddress,
  formatAddress,
} from "../base/address.ts";
import { checkBacklog, checkPathOptions } from "../base/arguments.ts";
import { AF_UNIX, SOCK_DGRAM, SOCK_STREAM } from "../base/constants.ts";
import { OSError } from "../base/errors.ts";
import { osError } from "../base/translate_error.ts";
import {
  openDatagram,
  openListener,
  unboundAddress,
} from "../runtime/opening/open.ts";
import type { StreamTransport } from "../runtime/transport/transport.ts";
import type { PathOptions } from "../runtime/unix/unix_path.ts";
import { type AbortOptions, checkSignal } from "../waiting/abort.ts";
import { failLater } from "../waiting/turns.ts";
import type { Datagram } from "./datagram.ts";
import { isHeld, Listener } from "./listener.ts";
import { getsockname } from "./socket_addresses.ts";
import type { SocketState } from "./state.ts";

/** Deno's default backlog, and that of `bind` and of servers. */
export const DEFAULT_BACKLOG = 511;

/** Binds a socket to an address. */
export function bind(
  state: SocketState,
  address: AddressLike,
  options: PathOptions,
): void {
  state.checkOpen("bind");
  const checked = checkAddress(state.family, address, "bind");
  checkPathOptions(checked, options);
  if (state.endpoint !== undefined || state.localAddress !== undefined) {
    const reason = "the socket has an address already";
    throw osError("EINVAL", { syscall: "bind", reason });
  }
  state.pathOptions = options;
  openAt(state, checked);
}

/** Opens the endpoint at an address. */
function openAt(
  state: SocketState,
  address: AddressLike,
  backlog?: number,
): void {
  const { family, options } = state;
  const bound = {
    ...state.pathOptions,
    reuseAddr: options?.get("SO_REUSEADDR") === 1,
    reusePort: options?.get("SO_REUSEPORT") === 1,
  };
  if (state.type === SOCK_DGRAM) {
    return state.take(openDatagram(family, address, bound));
  }
  try {
    const transport = openListener(family, address, backlog, bound);
    state.listener = new Listener(transport);
  } catch (error) {
    throw withHeldHint(error, address);
  }
}

/** Returns a clearer error if the address belongs to a socket that was closed in this turn of the event loop. */
function withHeldHint(error: unknown, address: AddressLike): unknown {
  const taken = error instanceof OSError && error.code === "EADDRINUSE";
  if (!taken || !isHeld(address)) return error;
  return osError("EADDRINUSE", {
    syscall: "bind",
    address: formatAddress(address),
    reason: "a closed socket has it until its waitClosed() resolves",
    cause: error.cause,
  });
}

/** Binds a socket again to its local address, after a failed `connect`. */
export function rebind(state: SocketState): void {
  try {
    openAt(state, state.localAddress!);
  } catch {
    // another socket has the address by now: the next `connect` or `listen` throws
  }
}

/** Returns the datagram endpoint. Binds an unbound socket first: to the loopback address if `peer` is one. */
export function ensureBound(state: SocketState, peer?: string): Datagram {
  if (state.datagram === undefined) {
    const loopback = peer === "127.0.0.1" || peer === "::1";
    openAt(state, loopback ? [peer, 0] : unboundAddress(state.family));
  }
  return state.datagram!;
}

/** Starts to listen. */
export function listen(
  state: SocketState,
  backlog: number = DEFAULT_BACKLOG,
): void {
  state.checkOpen("listen");
  if (state.type !== SOCK_STREAM) {
    throw osError("EOPNOTSUPP", { syscall: "listen" });
  }
  if (state.stream ?? state.attempt) {
    throw osError("EINVAL", { syscall: "listen" });
  }
  checkBacklog(backlog);
  openListening(state, Math.max(0, backlog));
  state.listening = true;
}

/** Opens a socket that is to listen. Opens it again if `backlog` differs from that of `bind`. */
function openListening(state: SocketState, backlog: number): void {
  const unix = state.family === AF_UNIX;
  if (state.listener === undefined) {
    const free = unix ? unboundAddress(AF_UNIX) : ["", 0] as const;
    openAt(state, state.localAddress ?? free, backlog);
  } else if (!state.listening && backlog !== DEFAULT_BACKLOG && !unix) {
    const address = getsockname(state);
    state.listener.close();
    state.listener = undefined;
    openAt(state, address, backlog);
  }
}

/** Accepts the next connection. */
export async function accept(
  state: SocketState,
  { signal }: AbortOptions,
): Promise<StreamTransport> {
  try {
    checkSignal(signal, "accept");
    const listener = listenerOf(state);
    return await listener.accept(state.limit("accept", undefined, signal));
  } catch (error) {
    return await failLater(error);
  }
}

/** Returns the listener of a socket, or throws the error of `accept`. */
function listenerOf(state: SocketState): Listener {
  state.checkOpen("accept");
  if (state.type !== SOCK_STREAM) {
    throw osError("EOPNOTSUPP", { syscall: "accept" });
  }
  const { listener, listening } = state;
  if (listener !== undefined && listening) return listener;
  const reason = "the socket does not listen";
  throw osError("EINVAL", { syscall: "accept", reason });
}
