/**
 * Sending a file.
 *
 * @module
 */

import { memory } from "../base/memory.ts";
import { openFile, SEEK_SET } from "../runtime/deno.ts";

/** The size of a read, which each slow client keeps in memory. */
const CHUNK = 262144;

/**
 * The size of a read for a client that keeps up. Each read is a trip to another thread, so few large reads are
 * faster: beside `readable.pipeTo`, which grows to 16 MiB (`deno task bench sendfile`), 256 KiB
 * reach 0.8 to 0.95 of its rate and 2 MiB 1.3 to 1.7.
 */
const LARGE = 2097152;

/** How many clients may have a large buffer at the same time: 16 MiB in all. */
const LARGE_MAX = 8;

/** The bytes per millisecond of a client that keeps up. Arbitrary: more than 100 Mbit/s, less than 1 Gbit/s. */
const FAST = 26214;

/** A large buffer for the next file: new memory costs a fault for each page. */
let spare: Uint8Array | undefined;
let lent = 0;

/** The memory for the part of a file that is being sent, sized by the speed of the client. */
class Chunk {
  #small: Uint8Array | undefined;
  #large: Uint8Array | undefined;

  /** Returns a view to read into, of at most `left` bytes. */
  view(left: number): Uint8Array {
    const buffer = this.#large ??
      (this.#small ??= memory(Math.min(CHUNK, left)));
    return left < buffer.length ? buffer.subarray(0, left) : buffer;
  }

  /** Fits the size to a client that took `bytes` in `ms`, if `left` bytes are left. */
  fit(bytes: number, ms: number, left: number): void {
    const fast = bytes >= FAST * ms;
    if (!fast) this.release();
    else if (!this.#large && left >= LARGE && lent < LARGE_MAX) {
      lent++;
      this.#large = spare ?? memory(LARGE);
      spare = undefined;
    }
  }

  /** Gives the large buffer back once none of it is being sent. */
  release(): void {
    spare ??= this.#large;
    this.drop();
  }

  /** Drops the large buffer: a part of it may still be in flight, for long. */
  drop(): void {
    if (this.#large) lent--;
    this.#large = undefined;
  }
}

/** Writes a part of a file. The memory belongs to the caller again afterwards. */
type Write = (data: Uint8Array) => Promise<void>;

/** Splits writes, so that a timeout holds for as much as a slow client gets at once, however large the chunk. */
export function inParts(write: Write): Write {
  return async (data) => {
    for (let at = 0; at < data.length; at += CHUNK) {
      await write(data.subarray(at, at + CHUNK));
    }
  };
}

/**
 * A file to send: its path, or an open file with `read` and `seek`.
 *
 * @category Sockets
 */
export type FileLike = string | URL | OpenFile;

/**
 * The part of `Deno.FsFile` that `sendfile` needs.
 *
 * @category Sockets
 */
export interface OpenFile {
  /** Reads into `p`; resolves to null at the end of the file. */
  read(p: Uint8Array): Promise<number | null>;
  /** Moves the position of the file. */
  seek(offset: number, whence: number): Promise<number>;
}

/**
 * Copies a part of a file to `write`, with memory for one chunk. The position of an open file ends behind the last
 * byte that was sent, as in Python; a path is opened and closed here.
 *
 * @param now The clock, in milliseconds, that measures the client.
 * @returns The number of bytes sent.
 */
export async function sendFile(
  file: FileLike,
  offset: number,
  count: number,
  write: Write,
  now: () => number = () => performance.now(),
): Promise<number> {
  if (typeof file !== "string" && !(file instanceof URL)) {
    return await copyFile(file, offset, count, write, now);
  }
  using opened = await openFile(file);
  return await copyFile(opened, offset, count, write, now);
}

async function copyFile(
  file: OpenFile,
  offset: number,
  count: number,
  write: Write,
  now: () => number,
): Promise<number> {
  await file.seek(offset, SEEK_SET);
  const chunk = new Chunk();
  let sent = 0;
  try {
    while (sent < count) {
      const view = chunk.view(count - sent);
      const from = now();
      const length = await file.read(view);
      if (length === null) break;
      await write(length < view.length ? view.subarray(0, length) : view);
      sent += length;
      chunk.fit(length, now() - from, count - sent);
    }
    chunk.release();
  } finally {
    chunk.drop();
    await file.seek(offset + sent, SEEK_SET);
  }
  return sent;
}
