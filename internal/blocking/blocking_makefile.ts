/**
 * The files of a blocking socket.
 *
 * @module
 */

import type { BufferedReader } from "../files/buffered_reader.ts";
import type { BufferedRWPair, TextRWPair } from "../files/rw_pair.ts";
import {
  type FileForMode,
  makeFile,
  type MakefileHooks,
  type MakefileOptions,
} from "../files/makefile.ts";
import type { TextReader } from "../files/text_reader.ts";
import type { TextWriter } from "../files/text_writer.ts";
import type { Writer } from "../files/file_writer.ts";
import { type BlockingReader, BlockingReaderShell } from "./blocking_reader.ts";
import {
  type BlockingRWPair,
  BlockingRWPairShell,
  type BlockingTextRWPair,
  BlockingTextRWPairShell,
} from "./blocking_rw_pair.ts";
import {
  type BlockingTextReader,
  BlockingTextReaderShell,
} from "./blocking_text_reader.ts";
import {
  type BlockingTextWriter,
  BlockingTextWriterShell,
} from "./blocking_text_writer.ts";
import type { BlockingBytes } from "./blocking_types.ts";
import { type BlockingWriter, BlockingWriterShell } from "./blocking_writer.ts";

/**
 * The file of a blocking socket that has the methods of a file of `Socket`.
 *
 * @typeParam F The file of `Socket`.
 * @category Files
 */
export type BlockingFileOf<F> = F extends TextRWPair ? BlockingTextRWPair
  : F extends TextReader ? BlockingTextReader
  : F extends TextWriter ? BlockingTextWriter
  : F extends BufferedRWPair ? BlockingRWPair
  : F extends BufferedReader ? BlockingReader
  : F extends Writer ? BlockingWriter
  : never;

/**
 * The file that `makefile()` of a blocking socket returns for a mode; see {@linkcode FileForMode}.
 *
 * @typeParam M The mode.
 * @category Files
 */
export type BlockingFileForMode<M extends string> = BlockingFileOf<
  FileForMode<M>
>;

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
  return makeFile(KINDS, socket, mode, options) as BlockingFileForMode<M>;
}
