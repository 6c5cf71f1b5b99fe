/**
 * The files of a blocking socket.
 *
 * @module
 */

import { checkCount } from "../_stream/checks.ts";
import { BlockingReader } from "./blocking_reader.ts";
import { BlockingWriter } from "./blocking_writer.ts";

/** What `makefile()` of a blocking socket returns for each mode. */
export interface BlockingFiles {
  /** Reads bytes. */
  "rb": BlockingReader;
  /** Writes bytes. */
  "wb": BlockingWriter;
}

/** Options of `makefile()` of a blocking socket. */
export interface BlockingMakefileOptions {
  /** The size of the buffer in bytes; 0: unbuffered; -1: 8 KiB. @default {-1} */
  buffering?: number;
  /** The longest line, in bytes. @default {65536} */
  lineLimit?: number;
}

/** What a file reads from and writes to. */
export interface BlockingBytes {
  /** Receives at most `size` bytes; empty at the end of the stream. */
  recv(size: number): Uint8Array<ArrayBuffer>;
  /** Sends all of `data`. */
  sendall(data: Uint8Array): void;
}

/** Opens a file on a blocking socket. */
export function blockingMakefile<M extends keyof BlockingFiles>(
  socket: BlockingBytes,
  mode: M,
  options: BlockingMakefileOptions & { onClose: () => void },
): BlockingFiles[M] {
  const { buffering = -1 } = options;
  checkCount(buffering, "Cannot open a file: buffering", true);
  const sorted = [...String(mode)].sort().join("");
  if (sorted === "br" || sorted === "b") {
    return new BlockingReader(socket, options) as BlockingFiles[M];
  }
  if (sorted === "bw") {
    return new BlockingWriter(socket, options) as BlockingFiles[M];
  }
  throw new TypeError(
    `Cannot open a file: the mode of a blocking file must be "rb" or "wb", got ${
      JSON.stringify(mode)
    }`,
  );
}
