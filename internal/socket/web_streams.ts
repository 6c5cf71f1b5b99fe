/**
 * A socket as a pair of Web Streams.
 *
 * @module
 */

import { SHUT_WR, SOCK_STREAM } from "../base/constants.ts";
import { osError } from "../base/translate_error.ts";
import type { Bytes } from "../base/memory.ts";

/** The most bytes of one chunk, as of Deno's own streams. */
const CHUNK_MAX = 65536;

/** The methods of a `Socket` that its streams call. */
interface StreamSocket {
  readonly type: number;
  recv(bufsize: number): Promise<Bytes>;
  sendall(data: Uint8Array): Promise<void>;
  shutdown(how: number): Promise<void>;
  close(): void;
  abort(): void;
}

/** The streams of each socket that has some. */
const readables = new WeakMap<StreamSocket, ReadableStream<Bytes>>();
const writables = new WeakMap<StreamSocket, WritableStream<Uint8Array>>();

function checkStream({ type }: StreamSocket): void {
  if (type === SOCK_STREAM) return;
  const reason = "only a stream socket has streams";
  throw osError("EOPNOTSUPP", { syscall: "open a stream", reason });
}

/** Returns the readable stream of a socket, always the same one. */
export function readableOf(socket: StreamSocket): ReadableStream<Bytes> {
  let readable = readables.get(socket);
  if (readable === undefined) {
    checkStream(socket);
    readable = new ReadableStream({
      type: "bytes",
      pull: (controller) => receive(socket, controller),
      cancel: () => socket.close(),
    });
    readables.set(socket, readable);
  }
  return readable;
}

/** Receives once for each read of the stream. Bytes that the program does not read stay with the socket. */
async function receive(
  socket: StreamSocket,
  controller: ReadableByteStreamController,
): Promise<void> {
  const wanted = controller.byobRequest?.view?.byteLength ?? CHUNK_MAX;
  const data = await socket.recv(Math.min(wanted, CHUNK_MAX));
  if (data.length > 0) return controller.enqueue(data.slice()); // the stream transfers the whole buffer
  controller.close();
  controller.byobRequest?.respond(0); // ends the read that waits
}

/** Returns the writable stream of a socket, always the same one. */
export function writableOf(socket: StreamSocket): WritableStream<Uint8Array> {
  let writable = writables.get(socket);
  if (writable === undefined) {
    checkStream(socket);
    writable = new WritableStream({
      start({ signal }) {
        signal.addEventListener("abort", () => socket.abort()); // ends a write that waits too
      },
      write: (chunk) => socket.sendall(chunk),
      close: () => socket.shutdown(SHUT_WR),
    });
    writables.set(socket, writable);
  }
  return writable;
}
