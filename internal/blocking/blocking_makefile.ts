/**
 * `makefile()` of a blocking socket, and its files that read and write.
 *
 * @module
 */

import {
  type MakefileHooks,
  type MakefileOptions,
  openForMode,
} from "../files/makefile.ts";
import { BYTE_READS, delegate, TEXT_READS, WRITES } from "../files/rw_pair.ts";
import {
  BlockingReaderShell,
  BlockingTextReaderShell,
} from "./blocking_readers.ts";
import type {
  BlockingBytes,
  BlockingFileForMode,
  BlockingReader,
  BlockingTextReader,
  BlockingTextWriter,
  BlockingWriter,
} from "./blocking_types.ts";
import {
  BlockingTextWriterShell,
  BlockingWriterShell,
} from "./blocking_writers.ts";

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

const KINDS = {
  Reader: BlockingReaderShell,
  Writer: BlockingWriterShell,
  RWPair: BlockingRWPairShell,
  TextReader: BlockingTextReaderShell,
  TextWriter: BlockingTextWriterShell,
  TextRWPair: BlockingTextRWPairShell,
};

/** Opens a file on a blocking socket. */
export function blockingMakefile<M extends string>(
  socket: BlockingBytes,
  mode: M,
  options: MakefileOptions & MakefileHooks,
): BlockingFileForMode<M> {
  return openForMode(KINDS, socket, mode, options) as BlockingFileForMode<M>;
}
