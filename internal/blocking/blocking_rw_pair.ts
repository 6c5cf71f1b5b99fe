/**
 * The files that read and write, of a handler that blocks.
 *
 * @module
 */

import {
  type BufferedRWPair,
  BYTE_READS,
  delegate,
  TEXT_READS,
  type TextRWPair,
  WRITES,
} from "../files/rw_pair.ts";
import type { BlockingReader } from "./blocking_reader.ts";
import type { BlockingTextReader } from "./blocking_text_reader.ts";
import type { BlockingTextWriter } from "./blocking_text_writer.ts";
import type { Blocking } from "./blocking_types.ts";
import type { BlockingWriter } from "./blocking_writer.ts";

/**
 * Reads and writes bytes of a blocking socket: the methods of {@linkcode BufferedRWPair}, but they block the worker
 * and return values. `socket.makefile("rwb")` returns one.
 *
 * Closing it leaves the socket open.
 *
 * @category Files
 */
export interface BlockingRWPair extends Blocking<BufferedRWPair> {}

/**
 * Reads and writes text of a blocking socket: the methods of {@linkcode TextRWPair}, but they block the worker and
 * return values. `socket.makefile("rw")` returns one.
 *
 * Closing it leaves the socket open.
 *
 * @category Files
 */
export interface BlockingTextRWPair extends Blocking<TextRWPair> {}

/** The common base of both pairs. */
class Pair<
  R extends { close(): void },
  W extends BlockingWriter | BlockingTextWriter,
> {
  readonly reader: R;
  readonly writer: W;

  constructor(reader: R, writer: W) {
    this.reader = reader;
    this.writer = writer;
  }

  get closed(): boolean {
    return this.writer.closed;
  }

  readable(): boolean {
    return this.writer.writable();
  }

  close(): void {
    try {
      this.writer.close();
    } finally {
      this.reader.close();
    }
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** Joins a reader and a writer to a {@linkcode BlockingRWPair}. */
export class BlockingRWPairShell extends Pair<BlockingReader, BlockingWriter> {
  static {
    const reads = [...BYTE_READS, Symbol.iterator];
    delegate(BlockingRWPairShell, reads, (pair) => pair.reader);
    delegate(BlockingRWPairShell, WRITES, (pair) => pair.writer);
  }

  get pending(): number {
    return this.writer.pending;
  }
}

/** Joins a reader and a writer to a {@linkcode BlockingTextRWPair}. */
export class BlockingTextRWPairShell
  extends Pair<BlockingTextReader, BlockingTextWriter> {
  static {
    const reads = [...TEXT_READS, Symbol.iterator];
    delegate(BlockingTextRWPairShell, reads, (pair) => pair.reader);
    delegate(BlockingTextRWPairShell, WRITES, (pair) => pair.writer);
  }
}
