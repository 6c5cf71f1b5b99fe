/**
 * Python's `socket.makefile()`.
 *
 * @module
 */

import { BufferedReader } from "./buffered_reader.ts";
import type {
  BufferedReaderOptions,
  OwnedReaderOptions,
} from "./reader_core.ts";
import { BufferedRWPair, TextRWPair } from "./rw_pair.ts";
import { BufferedWriter } from "./buffered_writer.ts";
import type { BufferedWriterOptions } from "./writer_core.ts";
import { checkCount } from "./file_arguments.ts";
import type { TextErrors } from "./codecs.ts";
import type { Newline } from "./newlines.ts";
import { TextReader } from "./text_reader.ts";
import type { TextReaderOptions, TextWriterOptions } from "./text_core.ts";
import { TextWriter } from "./text_writer.ts";
import type { ByteSink, ByteSource, Tied } from "./raw_streams.ts";
import type { Writer } from "./file_writer.ts";

/**
 * Options of `makefile()`.
 *
 * @category Files
 */
export interface MakefileOptions {
  /**
   * The size of the buffer in bytes. 0 is no buffer, for binary files only; -1 is the default of
   * {@linkcode BufferedReader} and {@linkcode BufferedWriter}.
   *
   * @default {-1}
   */
  buffering?: number;
  /**
   * The encoding of a text file; see {@linkcode TextReader} and {@linkcode TextWriter}.
   *
   * @default {"utf-8"}
   */
  encoding?: string;
  /**
   * What to do with data that a text file cannot decode or encode.
   *
   * @default {"strict"}
   */
  errors?: TextErrors;
  /**
   * The line ends of a text file; see {@linkcode Newline}.
   *
   * @default {null}
   */
  newline?: Newline;
  /**
   * The longest line that the file reads, in bytes or characters.
   *
   * @default {65536}
   */
  lineLimit?: number;
  /**
   * A writer whose bytes are sent before the file receives more. If the writer has no buffer and neither file is a
   * text file, the writer holds small writes while the file has more to read.
   */
  tie?: Tied;
}

/**
 * The file that `makefile()` returns for each mode. The letters may come in any order.
 *
 * @category Files
 */
export interface MakefileModes {
  /** Reads text. */
  "r": TextReader;
  /** Writes text. */
  "w": TextWriter;
  /** Reads and writes text. */
  "rw": TextRWPair;
  /** Reads and writes text. */
  "wr": TextRWPair;
  /** Reads bytes. */
  "b": BufferedReader;
  /** Reads bytes. */
  "rb": BufferedReader;
  /** Reads bytes. */
  "br": BufferedReader;
  /** Writes bytes. */
  "wb": Writer;
  /** Writes bytes. */
  "bw": Writer;
  /** Reads and writes bytes. */
  "rwb": BufferedRWPair;
  /** Reads and writes bytes. */
  "rbw": BufferedRWPair;
  /** Reads and writes bytes. */
  "wrb": BufferedRWPair;
  /** Reads and writes bytes. */
  "wbr": BufferedRWPair;
  /** Reads and writes bytes. */
  "brw": BufferedRWPair;
  /** Reads and writes bytes. */
  "bwr": BufferedRWPair;
}

/**
 * Any file that `makefile()` returns.
 *
 * @category Files
 */
export type SocketFile = MakefileModes[keyof MakefileModes];

/**
 * The file that `makefile()` returns for a mode; any of the files if the mode is not known at compile time.
 *
 * @typeParam M The mode.
 * @category Files
 */
export type FileForMode<M extends string> = M extends keyof MakefileModes
  ? MakefileModes[M]
  : SocketFile;

/** The functions of the socket that {@linkcode makefile} calls. */
export interface MakefileHooks {
  /** Called once, when the file is closed. */
  onClose?: () => void;
  /** Called when the file begins to hold bytes that go before anything sent from then on. */
  onHold?: (writer: Tied) => void;
  /** Called with each reader that the file consists of. */
  onReader?: (reader: unknown) => void;
  /** The handler that reads the file. Its server counts lines that are too long. */
  handler?: object;
}

/**
 * Opens a file on a socket.
 *
 * @typeParam M The mode.
 * @param socket The socket to read from and write to. Closing the file leaves it open.
 * @param mode "r" and "w" in any combination, and "b" for bytes.
 * @param options Buffering, encoding and line ends.
 * @returns The file.
 * @throws {TypeError} if the mode is invalid, or `errors` or `newline` has none of its values.
 * @throws {RangeError} if a size or limit is out of range, the encoding is unknown, or `buffering`
 *   is 0 for a text file.
 */
export function makefile<M extends string = "r">(
  socket: ByteSource & ByteSink,
  mode?: M,
  options: MakefileOptions & MakefileHooks = {},
): FileForMode<M> {
  return openForMode(KINDS, socket, mode ?? "r", options) as FileForMode<M>;
}

/** The classes of the files of a kind of socket, async or blocking. */
export interface FileKinds<S, R, W, TR, TW> {
  /** Reads bytes. */
  readonly Reader: new (socket: S, options: BufferedReaderOptions) => R;
  /** Writes bytes. */
  readonly Writer: new (socket: S, options: BufferedWriterOptions) => W;
  /** Reads and writes bytes. */
  readonly RWPair: new (reader: R, writer: W) => unknown;
  /** Reads text. */
  readonly TextReader: new (reader: R, options: TextReaderOptions) => TR;
  /** Writes text. */
  readonly TextWriter: new (writer: W, options: TextWriterOptions) => TW;
  /** Reads and writes text. */
  readonly TextRWPair: new (reader: TR, writer: TW) => unknown;
}

const KINDS = {
  Reader: BufferedReader,
  Writer: BufferedWriter,
  RWPair: BufferedRWPair,
  TextReader,
  TextWriter,
  TextRWPair,
};

/** Opens the file of a mode, with the classes in `kinds`. */
export function openForMode<S, R, W, TR, TW>(
  kinds: FileKinds<S, R, W, TR, TW>,
  socket: S,
  mode: unknown,
  options: MakefileOptions & MakefileHooks,
): unknown {
  const { binary, reads, writes } = parseMode(mode);
  const bufferSize = checkBuffering(options.buffering ?? -1, binary);
  const { lineLimit, tie, onClose, onHold, onReader, handler } = options;
  const own: OwnedReaderOptions = { lineLimit, tie, onClose, handler };
  const reader = reads
    ? new kinds.Reader(socket, { bufferSize, ...own })
    : undefined;
  // A pair closes its reader last, so the reader's `onClose` serves for both.
  const last = reads ? undefined : onClose;
  const writer = writes
    ? new kinds.Writer(socket, { bufferSize, onClose: last, onHold })
    : undefined;
  if (reader !== undefined) onReader?.(reader);
  if (binary) return join(kinds.RWPair, reader, writer);
  const textReader = reader && new kinds.TextReader(reader, options);
  if (textReader !== undefined) onReader?.(textReader);
  const textWriter = writer && new kinds.TextWriter(writer, options);
  return join(kinds.TextRWPair, textReader, textWriter);
}

/** Returns a pair of both, or the only one. */
function join<R, W>(
  Pair: new (reader: R, writer: W) => unknown,
  reader: R | undefined,
  writer: W | undefined,
): unknown {
  if (reader === undefined || writer === undefined) return reader ?? writer;
  return new Pair(reader, writer);
}

function checkBuffering(value: unknown, binary: boolean): number {
  const size = checkCount(value, "Cannot open a file: buffering", true);
  if (size !== 0 || binary) return size;
  throw new RangeError("Cannot open a file: buffering must not be 0 for text");
}

function parseMode(
  mode: unknown,
): { binary: boolean; reads: boolean; writes: boolean } {
  if (typeof mode !== "string" || !/^[rwb]*$/.test(mode)) {
    throw new TypeError(
      `Cannot open a file: invalid mode ${JSON.stringify(mode)}`,
    );
  }
  const writes = mode.includes("w");
  return {
    binary: mode.includes("b"),
    reads: mode.includes("r") || !writes,
    writes,
  };
}
