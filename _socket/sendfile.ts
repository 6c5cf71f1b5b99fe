/**
 * Sending a file.
 *
 * @module
 */

/**
 * What one read takes. Each read is a trip to another thread, and each client that reads slowly keeps one. Beside
 * `readable.pipeTo` of the same gigabyte (`deno task bench sendfile`) 64 and 128 KiB reach 0.6 of its rate, 256 KiB
 * 0.8 to 0.9, 384 and 512 KiB 0.5 to 0.6, though 1.0 of a quarter of the file, and 1 MiB 1.0 to 1.2.
 */
const CHUNK = 262144;

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
