/**
 * A connection over TLS in a worker or a child process. The server encrypts; the bytes here are plain.
 *
 * @module
 */

import { CERT_OPTIONAL, PROTOCOL_TLS_SERVER } from "../base/ssl_constants.ts";
import type { StreamTransport } from "../runtime/transport/transport.ts";
import type { SessionFacts } from "../runtime/tls/session_facts.ts";
import { Socket, stateOf } from "../socket/socket_object.ts";
import {
  makeSSLSocket,
  sessionOf,
  SSLContext,
  SSLSocket,
} from "./ssl_context.ts";

/** Returns the facts about the session of a socket; undefined for a socket without TLS. */
export function sessionFacts(socket: Socket): SessionFacts | undefined {
  return socket instanceof SSLSocket ? sessionOf(socket).facts : undefined;
}

/** Returns a socket over a transport that the server forwards: one with TLS if there are facts of a session. */
export function forwardedSocket(
  transport: StreamTransport,
  facts: SessionFacts | undefined,
): Socket {
  const plain = Socket.from(transport);
  if (facts === undefined) return plain;
  const context = new SSLContext(PROTOCOL_TLS_SERVER);
  if (facts.verified) context.verifyMode = CERT_OPTIONAL;
  const socket = makeSSLSocket({
    context,
    from: stateOf(plain),
    options: { serverSide: true },
  });
  sessionOf(socket).forward(facts);
  stateOf(socket).take(transport);
  return socket;
}
