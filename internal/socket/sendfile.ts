/**
 * Sends a file.
 *
 * @module
 */

import { memory } from "../base/memory.ts";
import { openForReading, SEEK_SET } from "../runtime/system/deno_api.ts";

/** The size of a read, which each slow client keeps in memory. Arbitrary. */
const CHUNK = 262144;

/**
 * The size of a read for a fast client. Each read is a trip to another thread, so few large reads are faster: 256 KiB
 * reach 0.8 to 0.95 of the rate of `readable.pipeTo`, and 2 MiB 1.3 to 1.7 (`deno task bench sendfile`).
 */
const LARGE = 2097152;

/** The most clients with a large buffer at a time: 16 MiB in all. */
const LARGE_MAX = 8;

/** The rate of a fast client in bytes per millisecond: between 100 Mbit/s and 1 Gbit/s. Arbitrary. */
const FAST = 26214;

/** A large buffer for the next file. New memory would cost a page fault for each page. */
let spare: Uint8Array | undefined;
let lent = 0;

/** The memory for the part of a file that is being sent, sized by the speed of the client. */
class Chunk {
  readonly #now: () => number;
  #small: Uint8Array | undefined;
  #large: Uint8Array | undefined;
  /** The time at which the current part began. */
  #startedAt = 0;

  /** @param now The clock, in milliseconds. */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** Begins a part. Returns a view to read it into, of at most `left` bytes. */
  view(left: number): Uint8Array {
    this.#startedAt = this.#now();
    const buffer = this.#large ??
      (this.#small ??= memory(Math.min(CHUNK, left)));
    return left < buffer.length ? buffer.subarray(0, left) : buffer;
  }

  /** Adapts the size to a client that has taken the part, of `bytes`, with `left` bytes left. */
  fit(bytes: number, left: number): void {
    const fast = bytes >= FAST * (this.#now() - this.#startedAt);
    if (!fast) this.release();
    else if (!this.#large && left >= LARGE && lent < LARGE_MAX) {
      lent++;
      this.#large = spare ?? memory(LARGE);
      spare = undefined;
    }
  }

  /** Returns the large buffer for the next file. No part of it may be in flight. */
  release(): void {
    spare ??= this.#large;
    this.drop();
  }

  /** Drops the large buffer, because a part of it may be in flight for long. */
  drop(): void {
    if (this.#large) lent--;
    this.#large = undefined;
  }
}

/** Writes a part of a file. The memory belongs to the caller again afterwards. */
type Write = (data: Uint8Array) => Promise<void>;

/** Splits writes into parts, so that the timeout applies to parts of one size, however large the chunk is. */
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
 * Passes a part of a file to `write`, chunk by chunk. Leaves the position of an open file after the last byte sent, as
 * Python does. Opens and closes the file of a path.
 *
 * @param now The clock, in milliseconds, that measures the client.
 * @returns The number of bytes sent.
 */
export async function passFile(
  file: FileLike,
  offset: number,
  count: number,
  write: Write,
  now: () => number = () => performance.now(),
): Promise<number> {
  const chunk = new Chunk(now);
  if (typeof file !== "string" && !(file instanceof URL)) {
    return await copyFile(file, offset, count, write, chunk);
  }
  using opened = await openForReading(file);
  return await copyFile(opened, offset, count, write, chunk);
}

async function copyFile(
  file: OpenFile,
  offset: number,
  count: number,
  write: Write,
  chunk: Chunk,
): Promise<number> {
  await file.seek(offset, SEEK_SET);
  let sent = 0;
  try {
    while (sent < count) {
      const view = chunk.view(count - sent);
      const length = await file.read(view);
      if (length === null) break;
      await write(length < view.length ? view.subarray(0, length) : view);
      sent += length;
      chunk.fit(length, count - sent);
    }
    chunk.release();
  } finally {
    chunk.drop();
    await file.seek(offset + sent, SEEK_SET);
  }
  return sent;
}
