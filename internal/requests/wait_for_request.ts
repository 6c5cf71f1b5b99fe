/**
 * Waits for the first byte of a handler's next message.
 *
 * @module
 */

import { unreadBytesOf } from "../files/buffered_reader.ts";
import type { Tied } from "../files/raw_streams.ts";
import { hasUnreadText, TextReader } from "../files/text_reader.ts";
import { Socket, stateOf } from "../socket/socket_object.ts";
import type { SocketState } from "../socket/state.ts";
import type { Stream } from "../socket/stream.ts";
import { unawaited } from "../waiting/promises.ts";
import { wouldBlock } from "../waiting/timeouts.ts";
import { failLater, nextTurn, poll } from "../waiting/turns.ts";
import { endsIdle, type IdleWait } from "./idle_waits.ts";
import { type Requests, requestsOf } from "./request_registry.ts";

/**
 * Waits until a connection has a byte that nobody has read.
 *
 * @param server The server, or its stand-in.
 * @param request The connection.
 * @param writer A writer whose bytes are sent before the wait.
 * @returns Whether there is one. False at the end of the stream, at the server's `idleTimeout`, and if the server drains.
 */
export function waitForRequest(
  server: object,
  request: unknown,
  writer?: Tied,
): Promise<boolean> {
  if (request instanceof Socket) {
    const state = stateOf(request);
    if (state.stream?.receiveBuffer.hasBytes || hasUnread(state)) {
      return Promise.resolve(true);
    }
  }
  return unawaited(wait(server, request, writer));
}

/** Returns the error for a request that is no connection. */
export function notConnected(request: unknown): TypeError {
  const what = Array.isArray(request)
    ? "a datagram is the whole request"
    : `the request is no socket`;
  return new TypeError(`Cannot wait for a request: ${what}`);
}

/** Reports whether a file over a socket has bytes or text that nobody has read. */
function hasUnread({ readers }: SocketState): boolean {
  if (readers === undefined) return false;
  for (const reader of readers) {
    const unread = reader instanceof TextReader
      ? hasUnreadText(reader)
      : unreadBytesOf(reader).length > 0;
    if (unread) return true;
  }
  return false;
}

async function wait(
  server: object,
  request: unknown,
  writer: Tied | undefined,
): Promise<boolean> {
  try {
    if (!(request instanceof Socket)) throw notConnected(request);
    const state = stateOf(request);
    state.checkOpen("recv");
    const stream = state.connected("recv", "ENOTCONN");
    writer?.sendHeld();
    stream.sendHeld();
    const limit = state.limit("recv");
    const requests = requestsOf(server);
    if (requests.idleWaits.over || limit === "now") {
      return await pollForMessage(stream, requests, request);
    }
    const idle = requests.idleWaits.begin(requests.of(request), limit);
    return await waitIdle(stream, idle).finally(() => idle.end());
  } catch (error) {
    return await failLater(error).catch((failure) =>
      endsIdle(request as object, failure)
    );
  }
}

/** Reports whether a message has begun, and does not wait for it. */
async function pollForMessage(
  stream: Stream,
  requests: Requests,
  request: unknown,
): Promise<boolean> {
  const { over } = requests.idleWaits;
  if (over && !requests.idleWaits.mayLook(requests.of(request))) return false;
  if (await poll(stream.receiveBuffer)) return await begins(stream);
  if (over) return false;
  throw wouldBlock("recv");
}

async function waitIdle(stream: Stream, idle: IdleWait): Promise<boolean> {
  const { receiveBuffer } = stream;
  try {
    if (!receiveBuffer.ready) await receiveBuffer.recv(0, idle);
  } catch (error) {
    if (!idle.drained) throw error;
    return receiveBuffer.hasBytes;
  }
  return receiveBuffer.hasBytes || await begins(stream);
}

/** Reports whether a stream that is ready has bytes, and not its end. Throws its error. */
async function begins(stream: Stream): Promise<boolean> {
  if (stream.receiveBuffer.hasBytes) return true;
  await nextTurn(); // a handler that ignores the end must not starve the others
  return (await stream.receiveBuffer.recvPeek(1, null)).length > 0;
}
