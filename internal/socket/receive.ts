/**
 * Receives bytes and datagrams.
 *
 * @module
 */

import type { Address } from "../base/address.ts";
import type { WaitLimit } from "../waiting/timeouts.ts";
import { failLater } from "../waiting/turns.ts";
import { type BytesLike, checkSize, toBytes } from "../base/arguments.ts";
import {
  MSG_DONTWAIT,
  MSG_PEEK,
  MSG_WAITALL,
  SOCK_STREAM,
} from "../base/constants.ts";
import { checkAborted } from "../waiting/abort.ts";
import { unawaited } from "../waiting/promises.ts";
import { ensureBound } from "./binding.ts";
import { checkMessageOptions, type MessageOptions } from "./message_options.ts";
import type { SocketState } from "./state.ts";
import { type Bytes, copyOf, memory } from "../base/memory.ts";
import type { ReceiveBuffer } from "./receive_buffer.ts";

const FLAGS = MSG_PEEK | MSG_WAITALL | MSG_DONTWAIT;

/** Receives at most `size` bytes. The promise may go unawaited. */
export function recv(
  state: SocketState,
  size: number,
  flags: number | MessageOptions,
): Promise<Bytes> {
  const { stream } = state;
  if (
    stream !== undefined && flags === 0 && Number.isInteger(size) && size > 0
  ) {
    return stream.receiveBuffer.recv(size, state.limit("recv"));
  }
  return unawaited(recvAny(state, size, flags));
}

/** Receives from a socket of any type. With `size` 0, leaves a datagram in place, as CPython's `recv` does. */
async function recvAny(
  state: SocketState,
  size: number,
  flags: number | MessageOptions,
): Promise<Bytes> {
  if (size !== 0 || state.type === SOCK_STREAM) {
    return (await recvfrom(state, size, flags))[0];
  }
  try {
    state.checkOpen("recv");
    checkAborted(checkMessageOptions(flags, FLAGS, "recv").signal);
    return new Uint8Array(0);
  } catch (error) {
    return await failLater(error);
  }
}

/** Receives at most `size` bytes, and the sender's address on a datagram socket. */
export async function recvfrom(
  state: SocketState,
  size: number,
  flags: number | MessageOptions,
): Promise<[Bytes, Address | null]> {
  try {
    if (flags !== 0 || !state.datagram?.pending.ready) {
      return await receive(state, size, flags);
    }
    checkSize(size, "recv");
    return state.datagram.take(size);
  } catch (error) {
    return await failLater(error);
  }
}

async function receive(
  state: SocketState,
  size: number,
  flags: number | MessageOptions,
): Promise<[Bytes, Address | null]> {
  state.checkOpen("recv");
  checkSize(size, "recv");
  const { bits, signal } = checkMessageOptions(flags, FLAGS, "recv");
  const timeout = bits & MSG_DONTWAIT ? 0 : undefined;
  const limit = state.limit("recv", timeout, signal);
  if (state.type === SOCK_STREAM) {
    const { receiveBuffer } = state.connected("recv", "ENOTCONN");
    return [await recvStream(receiveBuffer, size, bits, limit), null];
  }
  return await ensureBound(state).recv(limit, size, (bits & MSG_PEEK) !== 0);
}

async function recvStream(
  buffer: ReceiveBuffer,
  size: number,
  flags: number,
  limit: WaitLimit,
): Promise<Bytes> {
  if (size === 0) return new Uint8Array(0);
  if (flags & MSG_PEEK) return await buffer.recvPeek(size, limit);
  if (flags & MSG_WAITALL) return await recvAll(buffer, size, limit);
  return await buffer.recv(size, limit);
}

/** Receives exactly `size` bytes; fewer at the end of the stream, or if the call must not wait. */
async function recvAll(
  buffer: ReceiveBuffer,
  size: number,
  limit: WaitLimit,
): Promise<Bytes> {
  if (limit === "now") return await buffer.recv(size, limit);
  const whole = memory(size);
  let count = 0;
  try {
    while (count < size) {
      const piece = await buffer.recv(size - count, limit);
      if (piece.length === 0) break;
      whole.set(piece, count);
      count += piece.length;
    }
  } catch (error) {
    if (count > 0) buffer.putBack(whole.subarray(0, count));
    throw error;
  }
  return count < size ? copyOf(whole, 0, count) : whole;
}

/** Receives into the caller's memory. The promise may go unawaited. */
export function recvInto(
  state: SocketState,
  buffer: BytesLike,
  nbytes: number,
  flags: number | MessageOptions,
): Promise<number> {
  const { stream } = state;
  if (
    stream !== undefined && nbytes === 0 && flags === 0 &&
    buffer instanceof Uint8Array && buffer.length > 0
  ) return stream.receiveBuffer.recvInto(buffer, state.limit("recv"));
  const received = recvfromInto(state, buffer, nbytes, flags);
  return unawaited(received.then(([count]) => count));
}

/** Receives into the caller's memory, and returns the sender's address too. */
export async function recvfromInto(
  state: SocketState,
  buffer: BytesLike,
  nbytes: number,
  flags: number | MessageOptions,
): Promise<[number, Address | null]> {
  try {
    const target = checkTarget(buffer, nbytes);
    const [data, sender] = await recvfrom(state, target.length, flags);
    target.set(data);
    return [data.length, sender];
  } catch (error) {
    return await failLater(error);
  }
}

/** Returns the part of the caller's memory to receive into. */
export function checkTarget(buffer: BytesLike, nbytes: number): Uint8Array {
  const whole = toBytes(buffer, "recv");
  checkSize(nbytes, "recv", "nbytes");
  if (nbytes > whole.length) {
    throw new RangeError(
      `Cannot recv: nbytes is ${nbytes}, the buffer holds ${whole.length}`,
    );
  }
  return whole.subarray(0, nbytes || whole.length);
}
