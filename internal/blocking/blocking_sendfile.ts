/**
 * Sending a file from a handler that blocks.
 *
 * @module
 */

import { openFileSync, SEEK_SET } from "../runtime/deno.ts";

/** What one read takes: two windows of a connection. */
const CHUNK = 262_144;

/** A file to send: its path, or an open file that can be read and moved in. */
export type BlockingFileLike = string | URL | BlockingOpenFile;

/** The part of `Deno.FsFile` that is needed. */
export interface BlockingOpenFile {
  /** Reads into `p`; null at the end. */
  readSync(p: Uint8Array): number | null;
  /** Moves to a position. */
  seekSync(offset: number, whence: number): number;
}

/**
 * Copies a part of a file to `write`, with memory for one chunk. An open file is left behind the last
 * byte that was sent, as in Python; a path is opened and closed here.
 *
 * @returns How many bytes were sent.
 */
export function sendFileSync(
  file: BlockingFileLike,
  offset: number,
  count: number,
  write: (data: Uint8Array) => void,
): number {
  if (typeof file !== "string" && !(file instanceof URL)) {
    return copyFile(file, offset, count, write);
  }
  using opened = openFileSync(file);
  return copyFile(opened, offset, count, write);
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
