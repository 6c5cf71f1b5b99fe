/**
 * The logic of text files without their I/O: decoding, encoding and line ends.
 *
 * @module
 */

import type { Bytes } from "../base/memory.ts";
import { awaitHint } from "../base/message_hints.ts";
import { checkCount, checkLimit, typeName } from "./file_arguments.ts";
import {
  type Decode,
  decoderFor,
  type Encode,
  encoderFor,
  type TextErrors,
} from "./codecs.ts";
import { DEFAULT_LINE_LIMIT, LineReader } from "./lines.ts";
import {
  checkNewline,
  type Newline,
  type NewlineDecoder,
  newlineDecoder,
} from "./newlines.ts";
import { TextQueue } from "./unread_queues.ts";
import type { ReadSteps, ReceivingCore } from "./read_steps.ts";

/**
 * Options of a {@linkcode TextReader}.
 *
 * @category Files
 */
export interface TextReaderOptions {
  /**
   * The encoding: `"ascii"`, `"latin-1"` (each byte is the character of that number, as in Python), or any label
   * that `TextDecoder` knows.
   *
   * @default {"utf-8"}
   */
  encoding?: string;
  /**
   * What to do with bytes that cannot be decoded: throw an error, return U+FFFD, or drop them.
   *
   * @default {"strict"}
   */
  errors?: TextErrors;
  /**
   * The line ends that the file recognizes; see {@linkcode Newline}.
   *
   * @default {null}
   */
  newline?: Newline;
  /**
   * The longest line in UTF-16 units, its line end included. A longer line throws {@linkcode LimitOverrunError}.
   * `Infinity` is no limit.
   *
   * @default {65536}
   */
  lineLimit?: number;
}

/**
 * Options of a {@linkcode TextWriter}.
 *
 * @category Files
 */
export interface TextWriterOptions {
  /**
   * The encoding: `"utf-8"`, `"ascii"` or `"latin-1"`.
   *
   * @default {"utf-8"}
   */
  encoding?: string;
  /**
   * What to do with characters that the encoding lacks: throw an error, write "?", or drop them.
   *
   * @default {"strict"}
   */
  errors?: TextErrors;
  /**
   * The line end that is written for "\n"; see {@linkcode Newline}.
   *
   * @default {null}
   */
  newline?: Newline;
}

/** The reader of a text file's bytes. */
interface BytesReader {
  readonly closed: boolean;
  /** Throws if the reader is closed. */
  readable(): boolean;
  close(): void;
}

/** The state of a text file that reads and the steps of its reads. */
export class TextReaderCore implements ReceivingCore {
  /** Decoded text that was not read yet. */
  readonly queue: TextQueue;
  /** Reads lines. */
  readonly lines: LineReader<string>;
  readonly #reader: BytesReader;
  readonly #decode: Decode;
  readonly #newlines: NewlineDecoder;
  readonly #isUtf8: boolean;
  #partial = false;

  /**
   * @param reader The source of the bytes.
   * @param options Encoding, line ends and limit.
   */
  constructor(reader: BytesReader, options: TextReaderOptions) {
    const { encoding = "utf-8", errors = "strict", newline = null } = options;
    const { lineLimit = DEFAULT_LINE_LIMIT } = options;
    this.#reader = reader;
    this.#decode = decoderFor(encoding, errors);
    this.#isUtf8 = /^utf[-_]?8$/i.test(encoding.trim());
    this.#newlines = newlineDecoder(checkNewline(newline));
    const queue = this.queue = new TextQueue(this.#newlines.find);
    this.lines = new LineReader({
      queue,
      limit: checkLimit(lineLimit, "Cannot open a reader: lineLimit"),
      unit: "characters",
    });
  }

  /** Whether text was not read yet, or the file has a part of a character. */
  get unread(): boolean {
    return this.queue.length > 0 || this.#partial;
  }

  /** Whether the file is closed. */
  get closed(): boolean {
    return this.#reader.closed;
  }

  /** Closes the file and its reader, and drops the unread text. */
  close(): void {
    this.queue.clear();
    this.#reader.close();
  }

  /** Throws if the file is closed. */
  checkOpen(): void {
    this.#reader.readable();
  }

  /**
   * Decodes received bytes, which are empty at the end of the stream.
   *
   * @returns The length of the new text; undefined if the bytes are part of a character whose rest has not come.
   */
  keep(bytes: Bytes): number | undefined {
    const last = bytes.length === 0;
    const text = this.#newlines.translate(this.#decode(bytes, last), last);
    const more = text === "" || this.#isUtf8 && endsInCharacter(bytes);
    this.#partial = !last && more;
    if (text === "") return last ? 0 : undefined;
    this.queue.push(text);
    return text.length;
  }

  /** Reads `size` characters, or to the end. */
  *read(size = -1): ReadSteps<string> {
    checkCount(size, "Cannot read: size", true);
    const wanted = size < 0 ? Infinity : size;
    while (this.queue.length < wanted && (yield 1));
    this.lines.stopSkipping();
    return this.queue.take(Math.min(wanted, this.queue.length));
  }

  /** Reads a line. */
  readline(limit = -1): ReadSteps<string> {
    checkCount(limit, "Cannot read a line: limit", true);
    return this.lines.line(limit);
  }

  /** Reads lines. */
  readlines(hint = -1): ReadSteps<string[]> {
    checkCount(hint, "Cannot read lines: hint", true);
    return this.lines.lines(hint);
  }
}

/** Reports whether bytes end in the middle of a character of UTF-8. */
function endsInCharacter(bytes: Uint8Array): boolean {
  let lead = bytes.length - 1;
  while (lead >= 0 && (bytes[lead] & 0xc0) === 0x80) lead--;
  const first = bytes[lead] ?? 0;
  const length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : first >= 0xc0 ? 2 : 1;
  return lead + length > bytes.length;
}

/**
 * Returns a function that encodes the text of a file.
 *
 * @param options Encoding and line ends.
 */
export function textEncoder(options: TextWriterOptions): Encode {
  const { encoding = "utf-8", errors = "strict", newline = null } = options;
  const encode = encoderFor(encoding, errors);
  const lineEnd = checkNewline(newline) || "\n";
  return (text) => {
    if (typeof text !== "string") {
      throw new TypeError(
        `Cannot write: text must be a string, got ${typeName(text)}${
          awaitHint(text)
        }`,
      );
    }
    return encode(lineEnd === "\n" ? text : text.replaceAll("\n", lineEnd));
  };
}
