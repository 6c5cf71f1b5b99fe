/**
 * A request on its way to a child process.
 *
 * @module
 */

import type { Socket as NetSocket } from "node:net";
import type { Address } from "../base/address.ts";
import { ownBytes } from "../base/arguments.ts";
import { AF_UNIX, SOCK_STREAM } from "../base/constants.ts";
import { Socket, stateOf } from "../socket/socket_object.ts";
import { PassableStream } from "../runtime/node_listener.ts";
import type { TransportAddr } from "../runtime/transport.ts";
import type { RequestMessage } from "./messages.ts";
import {
  type CallExecutor,
  datagramExecutor,
  streamExecutor,
} from "./call_executor.ts";
import type { ChildPermissions } from "../handoff/permissions.ts";

/** What a child gets, and what is kept here for it. */
export interface Job {
  /** The message, still without a number. */
  message: Omit<RequestMessage, "id">;
  /** The connection that goes along. Closed here when it does not arrive. */
  socket?: NetSocket;
  /** Does what the child cannot. */
  execute?: CallExecutor;
}

/**
 * Says how to hand a request over: the connection itself where that can be done, its bytes where not (TLS,
 * or `verifyRequest` has looked at them), a datagram as it is.
 *
 * @param request The request.
 * @param client Where it comes from.
 * @param permissions What the child may do itself: it may send datagrams to others only where it could anyway.
 * @throws {TypeError} when it is none of these.
 */
export function jobFor(
  request: unknown,
  client: Address,
  permissions: ChildPermissions,
): Job {
  if (request instanceof Socket && request.type === SOCK_STREAM) {
    const transport = stateOf(request).endpoint?.transport;
    return transport instanceof PassableStream && transport.fresh
      ? handleJob(request, transport, client)
      : relayJob(request, client);
  }
  if (Array.isArray(request) && request[1] instanceof Socket) {
    const [packet, socket] = request;
    const execute = datagramExecutor(socket, client, permissions);
    return { message: datagramMessage(packet, socket, client), execute };
  }
  throw new TypeError(
    `Cannot hand a request to a child process: it must be a stream socket or a datagram with its socket, got ${
      Deno.inspect(request)
    }`,
  );
}

function handleJob(
  request: Socket,
  transport: PassableStream,
  client: Address,
): Job {
  const message: Job["message"] = { type: "request", kind: "handle", client };
  if (request.family === AF_UNIX) {
    message.local = transport.localAddr;
    message.remote = transport.remoteAddr;
  }
  request.detach();
  return { message, socket: transport.take() };
}

function relayJob(request: Socket, client: Address): Job {
  const message: Job["message"] = {
    type: "request",
    kind: "relay",
    client,
    local: transportAddr(request.getsockname(), "tcp", "unix"),
    remote: transportAddr(client, "tcp", "unix"),
  };
  return { message, execute: streamExecutor(request) };
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
