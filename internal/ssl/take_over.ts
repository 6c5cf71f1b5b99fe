/**
 * Takes a connection from its socket.
 *
 * @module
 */

import { SOCK_STREAM } from "../base/constants.ts";
import { SSLError } from "../base/ssl_errors.ts";
import { osError } from "../base/translate_error.ts";
import type { StreamTransport } from "../runtime/transport/transport.ts";
import {
  type PlainStream,
  wrapPlainStream,
} from "../runtime/tls/plain_duplex.ts";
import type { TlsStreamOptions } from "../runtime/tls/tls_stream.ts";
import { NodeStream } from "../runtime/node/node_stream.ts";
import { PassableStream } from "../runtime/node/passable_stream.ts";
import { BufferedReader, unreadBytesOf } from "../files/buffered_reader.ts";
import { unreadTextOf } from "../files/text_reader.ts";
import type { SocketReader, SocketState } from "../socket/state.ts";
import type { ByteCounts, Stream } from "../socket/stream.ts";

const SYSCALL = "wrapSocket";

/**
 * What to do with plain bytes that came before the handshake: fail, or drop them.
 *
 * @category TLS
 */
export type PlaintextPolicy = "refuse" | "discard";

/** The first byte of a TLS handshake: its content type. Source: RFC 8446, 5.1. */
const HANDSHAKE = 22;

/** Throws unless the socket is a connected stream that no call uses. */
export function checkWrappable(state: SocketState): Stream {
  state.checkOpen(SYSCALL);
  if (state.type !== SOCK_STREAM) {
    const reason = "TLS needs a stream socket, got a datagram socket";
    throw osError("EOPNOTSUPP", { syscall: SYSCALL, reason });
  }
  if (state.listener !== undefined) {
    const reason = "the socket listens: wrap the sockets that accept() returns";
    throw osError("EINVAL", { syscall: SYSCALL, reason });
  }
  const stream = state.connected(SYSCALL, "ENOTCONN");
  if (stream.receiveBuffer.awaited) {
    const reason = "a call waits for data of the socket";
    throw osError("EBUSY", { syscall: SYSCALL, reason });
  }
  return stream;
}

/**
 * Takes the connection of a socket, which counts as closed from then on.
 *
 * @param plaintext The policy for bytes that are no handshake.
 */
export async function takeOver(
  state: SocketState,
  stream: Stream,
  plaintext: PlaintextPolicy,
): Promise<
  & Pick<TlsStreamOptions, "raw" | "transport" | "localAddr" | "remoteAddr">
  & { plain: Stream | undefined; counts: ByteCounts }
> {
  stream.sendHeld();
  await stream.sendQueue.flush();
  takeBack(state.readers ?? [], stream);
  checkPlaintext(state.readers ?? [], stream, plaintext);
  const { transport, receiveBuffer } = stream;
  const { localAddr, remoteAddr } = transport;
  const counts = plainCounts(stream);
  state.closeWithoutStream();
  const first = receiveBuffer.available > 0
    ? receiveBuffer.take(receiveBuffer.available)
    : undefined;
  const socket = releaseNetSocket(transport);
  if (first !== undefined) socket?.unshift(first);
  const raw = socket ?? wrapPlainStream(plainStream(stream, first));
  const plain = socket === undefined ? stream : undefined;
  return { raw, plain, counts, transport, localAddr, remoteAddr };
}

/** Returns the counts of a connection without the bytes that the handshake reads. */
function plainCounts({ bytesIn, bytesOut, receiveBuffer }: Stream): ByteCounts {
  return { bytesIn: bytesIn - receiveBuffer.available, bytesOut };
}

/** Takes back the bytes that files have received and nobody has read. */
function takeBack(
  readers: readonly SocketReader[],
  { receiveBuffer }: Stream,
): void {
  for (const reader of readers) {
    if (!(reader instanceof BufferedReader)) continue;
    const unread = unreadBytesOf(reader);
    if (unread.length > 0) receiveBuffer.putBack(unread.take(unread.length));
  }
}

/** Throws for bytes that are no handshake, or drops them. */
function checkPlaintext(
  readers: readonly SocketReader[],
  { receiveBuffer }: Stream,
  plaintext: PlaintextPolicy,
): void {
  const refuse = (count: number) => {
    if (plaintext === "refuse") throw plaintextError(count);
  };
  for (const reader of readers) {
    if (reader instanceof BufferedReader) continue;
    const decoded = unreadTextOf(reader);
    if (decoded.length > 0) refuse(decoded.length);
    decoded.clear();
  }
  if (receiveBuffer.available === 0) return;
  const [first] = receiveBuffer.peek(1);
  if (first === HANDSHAKE) return;
  refuse(receiveBuffer.available);
  receiveBuffer.take(receiveBuffer.available);
}

function plaintextError(count: number): SSLError {
  const reason = "UNEXPECTED_PLAINTEXT";
  return new SSLError(
    `Cannot ${SYSCALL}: ${reason}: ${count} bytes came before the handshake; an attacker between the peers may have sent them (EPROTO)`,
    { reason, syscall: SYSCALL },
  );
}

/** Returns a connection of Deno's as the stream under TLS. It may have a read in flight already. */
function plainStream(
  stream: Stream,
  first: Uint8Array | undefined,
): PlainStream {
  const { receiveBuffer } = stream;
  const unread = first === undefined ? [] : [first];
  let released = false;
  return {
    async receive() {
      if (unread.length > 0) return unread.pop()!;
      while (!receiveBuffer.ready) await receiveBuffer.nextChange();
      if (released) return;
      const bytes = receiveBuffer.take(65_536);
      return bytes.length === 0 ? null : bytes;
    },
    send: (data) => stream.sendQueue.sendall(data, null),
    close: () => stream.close(),
    abort: () => stream.abort(),
    release(rest) {
      released = true;
      if (rest !== undefined) receiveBuffer.putBack(rest);
    },
  };
}

/**
 * Takes the socket of Node out of a transport, with the bytes that no read has taken; undefined if the transport has
 * none. TLS over a socket of Node is two to three times as fast as over a connection of Deno's.
 */
function releaseNetSocket(transport: StreamTransport) {
  return transport instanceof NodeStream || transport instanceof PassableStream
    ? transport.release()
    : undefined;
}
