/**
 * A request in the form in which a child process gets it.
 *
 * @module
 */

import type { Socket as NetSocket } from "node:net";
import type { Address } from "../base/address.ts";
import { ownBytes } from "../base/arguments.ts";
import { AF_UNIX, SOCK_STREAM } from "../base/constants.ts";
import { joinBytes } from "../base/memory.ts";
import { headerBytesOf } from "../proxy/known_headers.ts";
import { Socket, stateOf } from "../socket/socket_object.ts";
import type { ByteCounts, Stream } from "../socket/stream.ts";
import type { TransportAddr } from "../runtime/transport/transport.ts";
import { sessionFacts } from "../ssl/forwarded_socket.ts";
import type { RequestMessage } from "./messages.ts";
import {
  type CallExecutor,
  datagramExecutor,
  streamExecutor,
} from "./call_executor.ts";
import type { ChildPermissions } from "../handoff/permissions.ts";
import { PassableStream } from "../runtime/node/passable_stream.ts";

/** A request for a child: the message, and the part that stays in this process. */
export interface Job {
  /** The request. */
  request: unknown;
  /** The message, without its id. */
  message: Omit<RequestMessage, "id">;
  /** The connection to pass. Closed in this process if it does not arrive. */
  socket?: NetSocket;
  /** Notes the bytes of a connection that was passed. */
  count?: (counts: ByteCounts) => void;
  /** Executes the calls of the child; undefined if it gets the connection itself. */
  execute?: CallExecutor;
}

/**
 * Returns the job for a request. It passes the connection itself if it can, with the bytes behind a PROXY header that
 * have come; the bytes are relayed if it cannot (TLS, or `verifyRequest` has read some). A datagram is sent as it is.
 *
 * @param request The request.
 * @param client The address of the client.
 * @param permissions The permissions of the child: a datagram goes to another address only if the child may send
 *   there itself.
 * @throws {TypeError} if the request is none of these.
 */
export function jobFor(
  request: unknown,
  client: Address,
  permissions: ChildPermissions,
): Job {
  if (request instanceof Socket && request.type === SOCK_STREAM) {
    const transport = passableOf(request);
    return transport === undefined
      ? relayJob(request, client)
      : handleJob(request, transport, client);
  }
  if (Array.isArray(request) && request[1] instanceof Socket) {
    const [packet, socket] = request;
    const execute = datagramExecutor(socket, client, permissions);
    const message = datagramMessage(packet, socket, client);
    return { request, message, execute };
  }
  throw new TypeError(
    `Cannot hand a request to a child process: it must be a stream socket or a datagram with its socket, got ${
      Deno.inspect(request)
    }`,
  );
}

/** Returns the connection of a request, if a child can get it: nothing was read but a PROXY header, and no call uses it. */
function passableOf(request: Socket): PassableStream | undefined {
  const { endpoint, stream, readers } = stateOf(request);
  const transport = endpoint?.transport;
  if (!(transport instanceof PassableStream)) return undefined;
  if (transport.fresh) return transport;
  const { receiveBuffer, sendQueue } = stream!;
  const idle = !receiveBuffer.reading && readers === undefined &&
    (receiveBuffer.hasBytes || !receiveBuffer.ready) && sendQueue.ready;
  const introduced = headerBytesOf(request) !== undefined;
  return introduced && idle ? transport : undefined;
}

function handleJob(
  request: Socket,
  transport: PassableStream,
  client: Address,
): Job {
  const message = handleMessage(request, transport, client);
  const state = stateOf(request);
  const { bytesIn, bytesOut } = state.byteCounts;
  const unread = state.stream?.receiveBuffer.available ?? 0; // the child counts them
  message.early = transport.fresh
    ? undefined
    : earlyBytes(state.stream!, transport);
  request.detach();
  return {
    request,
    message,
    socket: transport.take(),
    count: (counts) =>
      state.closedCounts = {
        bytesIn: bytesIn - unread + counts.bytesIn,
        bytesOut: bytesOut + counts.bytesOut,
      },
  };
}

/** Returns the message that goes with a connection. It has no addresses that the child can ask the system for. */
function handleMessage(
  request: Socket,
  transport: PassableStream,
  client: Address,
): Job["message"] {
  const message: Job["message"] = { type: "request", kind: "handle", client };
  message.proxy = headerBytesOf(request);
  if (request.family === AF_UNIX) {
    message.local = transport.localAddr;
    message.remote = transport.remoteAddr;
  }
  return message;
}

/** Stops reading a connection, and returns the bytes that no call has taken; undefined if there are none. */
function earlyBytes(
  { receiveBuffer }: Stream,
  transport: PassableStream,
): Uint8Array | undefined {
  const taken = receiveBuffer.take(receiveBuffer.available);
  const early = joinBytes([taken, transport.stop()]);
  return early.length === 0 ? undefined : early.slice();
}

function relayJob(request: Socket, client: Address): Job {
  const proxy = headerBytesOf(request);
  const message: Job["message"] = {
    type: "request",
    kind: "relay",
    client,
    local: transportAddr(request.getsockname(), "tcp", "unix"),
    remote: proxy === undefined
      ? transportAddr(client, "tcp", "unix")
      : stateOf(request).stream!.transport.remoteAddr,
    tls: sessionFacts(request),
    proxy,
  };
  return { request, message, execute: streamExecutor(request) };
}

function datagramMessage(
  packet: Uint8Array<ArrayBuffer>,
  socket: Socket,
  client: Address,
): Job["message"] {
  return {
    type: "request",
    kind: "datagram",
    client,
    local: transportAddr(socket.getsockname(), "udp", "unixpacket"),
    packet: ownBytes(packet),
  };
}

function transportAddr(
  address: Address,
  inet: string,
  unix: string,
): TransportAddr {
  return typeof address === "string"
    ? { transport: unix, path: address }
    : { transport: inet, hostname: address[0], port: address[1] };
}
