/**
 * Sends bytes and datagrams.
 *
 * @module
 */

import {
  type AddressLike,
  checkAddress,
  formatAddress,
} from "../base/address.ts";
import { signalOf, type WaitLimit } from "../waiting/timeouts.ts";
import { failLater } from "../waiting/turns.ts";
import { quiet, unawaited } from "../waiting/promises.ts";
import {
  type BytesLike,
  checkSendfile,
  gather,
  toBytes,
} from "../base/arguments.ts";
import {
  AF_UNIX,
  MSG_DONTWAIT,
  SOCK_DGRAM,
  SOCK_STREAM,
} from "../base/constants.ts";
import {
  type AbortOptions,
  checkSignal,
  untilAborted,
} from "../waiting/abort.ts";
import { ensureBound } from "./binding.ts";
import { checkMessageOptions, type MessageOptions } from "./message_options.ts";
import type { SocketState } from "./state.ts";
import { atCaller, osError, translate } from "../base/translate_error.ts";
import { datagramTarget } from "../runtime/opening/open.ts";
import { type FileLike, inParts, passFile } from "./sendfile.ts";

/** Checks the arguments of a send, and returns the limit of its wait. */
function checkSend(
  state: SocketState,
  syscall: string,
  flags: number | MessageOptions,
  timeout?: number,
): WaitLimit {
  state.checkOpen(syscall);
  if (flags === 0) return state.limit(syscall, timeout);
  const { bits, signal } = checkMessageOptions(flags, MSG_DONTWAIT, syscall);
  return state.limit(syscall, bits & MSG_DONTWAIT ? 0 : timeout, signal);
}

/**
 * Sends the data, or the start of it if the call has a timeout; or one datagram to the peer. Throws for wrong
 * arguments. The caller need not await the promise.
 */
export function send(
  state: SocketState,
  data: BytesLike,
  flags: number | MessageOptions,
): Promise<number> {
  const limit = checkSend(state, "send", flags);
  const bytes = toBytes(data, "send");
  if (state.type === SOCK_DGRAM) {
    return sendDatagram(state, bytes, undefined, limit);
  }
  return state.connected("send", "EPIPE").send(bytes, limit);
}

/** Sends all of the data. Throws for wrong arguments. The caller need not await the promise. */
export function sendall(
  state: SocketState,
  data: BytesLike,
  flags: number | MessageOptions,
): Promise<void> {
  const limit = checkSend(state, "sendall", flags);
  const bytes = toBytes(data, "sendall");
  if (state.type === SOCK_STREAM) {
    return state.connected("sendall", "EPIPE").sendall(bytes, limit);
  }
  return quiet(sendDatagram(state, bytes, undefined, limit).then(() => {}));
}

/**
 * Sends one datagram to an address. Throws for wrong arguments. The caller need not await the promise.
 *
 * @param timeout Seconds, instead of the timeout of the socket.
 */
export function sendto(
  state: SocketState,
  data: BytesLike,
  flags: number | MessageOptions,
  address: unknown,
  timeout?: number,
): Promise<number> {
  const limit = checkSend(state, "sendto", flags, timeout);
  const bytes = toBytes(data, "sendto");
  const sender = state.datagram?.lastSenderIf(address);
  if (sender !== undefined) return state.datagram!.send(bytes, sender, limit);
  const checked = checkAddress(state.family, address, "sendto");
  if (state.type === SOCK_DGRAM) {
    return sendDatagram(state, bytes, checked, limit);
  }
  state.connected("sendto", "EPIPE");
  throw osError("EISCONN", {
    syscall: "sendto",
    address: formatAddress(checked),
  });
}

/** Sends one datagram. The caller need not await the promise. */
function sendDatagram(
  state: SocketState,
  data: Uint8Array,
  address: AddressLike | undefined,
  limit: WaitLimit,
): Promise<number> {
  const target = address === undefined
    ? state.datagram?.peer
    : datagramTarget(state.family, address);
  if (target === undefined) {
    const code = state.family === AF_UNIX ? "ENOTCONN" : "EDESTADDRREQ";
    throw osError(code, { syscall: "send" });
  }
  if (!(target instanceof Promise)) {
    return ensureBound(state).send(data, target, limit);
  }
  const signal = signalOf(limit);
  return quiet(
    untilAborted(() => target, signal).then((addr) => {
      state.checkOpen("sendto"); // the socket may be closed by then
      return ensureBound(state).send(data, addr, limit);
    }),
  );
}

/** Rejects with the error of a call that failed at once. Its stack begins with the caller of `method`. */
export function failedAtOnce(
  error: unknown,
  // deno-lint-ignore no-explicit-any
  method: (...args: any[]) => unknown,
): Promise<never> {
  return unawaited(failLater(atCaller(error, method)));
}

/** Gathers buffers and sends them as one. */
export async function sendmsg(
  state: SocketState,
  buffers: Iterable<BytesLike>,
  ancdata: Iterable<unknown>,
  flags: number | MessageOptions,
  address: AddressLike | null | undefined,
): Promise<number> {
  try {
    const data = gather(buffers, ancdata);
    return await (address === undefined || address === null
      ? send(state, data, flags)
      : sendto(state, data, flags, address));
  } catch (error) {
    return await failLater(error);
  }
}

/** Sends a part of a file. */
export async function sendfile(
  state: SocketState,
  file: FileLike,
  offset: number,
  count: number | undefined,
  { signal }: AbortOptions,
): Promise<number> {
  const { timeout } = state; // of the wait for the turn, and of each chunk
  const limit = () => state.limit("sendfile", timeout, signal);
  try {
    state.checkOpen("sendfile");
    checkSignal(signal, "sendfile");
    checkSendfile(state, offset, count);
    const stream = state.connected("sendfile", "EPIPE");
    return await stream.sendTogether(limit, (write) => {
      const parts = timeout === null ? write : inParts(write);
      return passFile(file, offset, count ?? Infinity, parts);
    });
  } catch (error) {
    const path = typeof file === "string" || file instanceof URL;
    const address = path ? String(file) : undefined;
    return await failLater(translate(error, { syscall: "sendfile", address }));
  }
}
