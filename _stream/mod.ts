/**
 * What this room shows to the public.
 *
 * @module
 */

export { BufferedReader } from "./buffered_reader.ts";
export type {
  BufferedReaderOptions,
  ReadUntilOptions,
} from "./buffered_reader.ts";
export { BufferedRWPair } from "./buffered_rw_pair.ts";
export { BufferedWriter } from "./buffered_writer.ts";
export type { BufferedWriterOptions } from "./buffered_writer.ts";
export type { TextErrors } from "./codecs.ts";
export { IncompleteReadError, LimitOverrunError } from "./errors.ts";
export type {
  FileForMode,
  MakefileModes,
  MakefileOptions,
  SocketFile,
} from "./makefile.ts";
export type { Newline } from "./newlines.ts";
export { TextReader } from "./text_reader.ts";
export type { TextReaderOptions } from "./text_reader.ts";
export { TextRWPair } from "./text_rw_pair.ts";
export { TextWriter } from "./text_writer.ts";
export type { TextWriterOptions } from "./text_writer.ts";
export type { ByteSink, ByteSource, Tied } from "./types.ts";
export type { WriteData, Writer } from "./writer.ts";
