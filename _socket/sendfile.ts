/**
 * Sending a file.
 *
 * @module
 */

/**
 * What one read takes. Each read is a trip to another thread. Beside `readable.pipeTo` of the same file
 * (`deno task bench sendfile`) 64 KiB reach 0.6 of its rate, 256 KiB 0.9, 512 KiB 1.0 to 1.1, 1 MiB up to 1.3; but
 * each client that reads slowly keeps one.
 */
const CHUNK = 524288;

/** A file to send: its path, or an open file that can be read and moved in. */
export type FileLike = string | URL | OpenFile;

/** The part of `Deno.FsFile` that is needed. */
export interface OpenFile {
  /** Reads into `p`; null at the end. */
  read(p: Uint8Array): Promise<number | null>;
  /** Moves to a position. */
  seek(offset: number, whence: Deno.SeekMode): Promise<number>;
}

/**
 * Copies a part of a file to `write`, with memory for one chunk. An open file is left behind the last
 * byte that was sent, as in Python; a path is opened and closed here.
 *
 * @returns How many bytes were sent.
 */
export async function sendFile(
  file: FileLike,
  offset: number,
  count: number,
  write: (data: Uint8Array) => Promise<void>,
): Promise<number> {
  if (typeof file !== "string" && !(file instanceof URL)) {
    return await copyFile(file, offset, count, write);
  }
  using opened = await Deno.open(file);
  return await copyFile(opened, offset, count, write);
}

async function copyFile(
  file: OpenFile,
  offset: number,
  count: number,
  write: (data: Uint8Array) => Promise<void>,
): Promise<number> {
  await file.seek(offset, Deno.SeekMode.Start);
  const buffer = new Uint8Array(Math.min(CHUNK, count));
  let sent = 0;
  try {
    while (sent < count) {
      const length = await file.read(
        buffer.subarray(0, Math.min(CHUNK, count - sent)),
      );
      if (length === null) break;
      await write(buffer.subarray(0, length));
      sent += length;
    }
  } finally {
    await file.seek(offset + sent, Deno.SeekMode.Start);
  }
  return sent;
}
