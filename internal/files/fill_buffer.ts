/**
 * Fills the buffer of a `readinto` with received bytes, which go directly into a large buffer.
 *
 * @module
 */

import type { ReaderCore } from "./reader_core.ts";

/** The receives of a reader. */
interface Receives {
  /** Receives once into the reader's queue; resolves to false at the end of the stream. */
  readonly fill: (wanted: number) => Promise<boolean>;
  /**
   * Receives once into memory, without a copy. Undefined if the read has a signal: then the bytes go through the queue,
   * which keeps those that come after the abort.
   */
  readonly direct: ((buffer: Uint8Array) => Promise<number>) | undefined;
}

/**
 * Fills `target`, or less of it at the end of the stream. If a receive fails, the bytes received before go back into the
 * queue.
 *
 * @param core The state of the reader.
 * @param target The memory to fill.
 * @param once Whether the bytes that are there, or those of one receive, are enough.
 * @param receives The receives of the reader.
 * @returns The number of bytes.
 */
export async function fillBuffer(
  core: ReaderCore,
  target: Uint8Array,
  once: boolean,
  receives: Receives,
): Promise<number> {
  let filled = core.queue.takeInto(target);
  core.lines.stopSkipping();
  try {
    while (filled < target.length && !(once && filled > 0)) {
      const count = await receiveInto(core, target.subarray(filled), receives);
      if (count === 0) break;
      filled += count;
    }
    return filled;
  } catch (error) {
    core.queue.putBack([new Uint8Array(target.subarray(0, filled))]);
    throw error;
  }
}

/** Receives once into `rest`, while the queue is empty. */
async function receiveInto(
  core: ReaderCore,
  rest: Uint8Array,
  { fill, direct }: Receives,
): Promise<number> {
  if (direct === undefined || rest.length < core.bufferSize) {
    await fill(rest.length);
    return core.queue.takeInto(rest);
  }
  const count = await direct(rest);
  core.checkOpen();
  return count;
}
