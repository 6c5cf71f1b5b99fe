/**
 * Sends a file from a blocking handler.
 *
 * @module
 */

import { translate } from "../base/translate_error.ts";
import { openForReadingSync, SEEK_SET } from "../runtime/system/deno_api.ts";

/** The bytes of one read: two windows of a connection. */
const CHUNK = 262_144;

/**
 * A file to send: its path, or an open file.
 *
 * @category Sockets
 */
export type BlockingFileLike = string | URL | BlockingOpenFile;

/**
 * The methods of `Deno.FsFile` that `sendfile` calls.
 *
 * @category Sockets
 */
export interface BlockingOpenFile {
  /** Reads into `p`. Returns the count of bytes, or null at the end of the file. */
  readSync(p: Uint8Array): number | null;
  /** Moves to a position; `whence` is a `Deno.SeekMode`. */
  seekSync(offset: number, whence: number): number;
}

/**
 * Passes a part of a file to `write`, chunk by chunk. Leaves an open file behind the last byte sent, as Python does.
 * Opens and closes the file of a path.
 *
 * @returns The count of bytes sent.
 */
export function passFileSync(
  file: BlockingFileLike,
  offset: number,
  count: number,
  write: (data: Uint8Array) => void,
): number {
  const path = typeof file === "string" || file instanceof URL;
  try {
    if (!path) return copyFile(file, offset, count, write);
    using opened = openForReadingSync(file);
    return copyFile(opened, offset, count, write);
  } catch (error) {
    const address = path ? String(file) : undefined;
    throw translate(error, { syscall: "sendfile", address });
  }
}

function copyFile(
  file: BlockingOpenFile,
  offset: number,
  count: number,
  write: (data: Uint8Array) => void,
): number {
  file.seekSync(offset, SEEK_SET);
  const buffer = new Uint8Array(Math.min(CHUNK, count));
  let sent = 0;
  try {
    while (sent < count) {
      const most = Math.min(CHUNK, count - sent);
      const length = file.readSync(buffer.subarray(0, most));
      if (length === null) break;
      write(buffer.subarray(0, length));
      sent += length;
    }
  } finally {
    file.seekSync(offset + sent, SEEK_SET);
  }
  return sent;
}
