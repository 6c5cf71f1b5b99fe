/**
 * The text file that reads, of a handler that blocks.
 *
 * @module
 */

import {
  type AbortOptions,
  checkAborted,
  checkSignal,
} from "../waiting/abort.ts";
import { eachLine } from "../files/lines.ts";
import {
  readArguments,
  type ReadSteps,
  runStepsNow,
} from "../files/read_steps.ts";
import { TextReaderCore, type TextReaderOptions } from "../files/text_core.ts";
import type { TextReader } from "../files/text_reader.ts";
import type { BlockingReader } from "./blocking_reader.ts";
import type { Blocking } from "./blocking_types.ts";

/**
 * Reads text from a blocking socket: the methods of {@linkcode TextReader}, with its errors, but they block the
 * worker and return values. `socket.makefile("r")` returns one.
 *
 * Closing it leaves the socket open.
 *
 * @category Files
 */
export interface BlockingTextReader extends Blocking<TextReader> {}

/** Moves the bytes of a {@linkcode BlockingTextReader}. */
export class BlockingTextReaderShell implements BlockingTextReader {
  readonly #reader: BlockingReader;
  readonly #core: TextReaderCore;

  constructor(reader: BlockingReader, options: TextReaderOptions = {}) {
    this.#reader = reader;
    this.#core = new TextReaderCore(options);
  }

  get closed(): boolean {
    return this.#reader.closed;
  }

  /** Whether the reader has text, or a part of a character, that nobody has read. */
  get unread(): boolean {
    return this.#core.unread;
  }

  #read<T>(steps: () => ReadSteps<T>, signal: AbortSignal | undefined): T {
    checkSignal(signal, "read");
    checkAborted(signal);
    this.#reader.readable(); // throws if the file is closed
    return runStepsNow(steps(), () => this.#fill(signal));
  }

  /** Receives until there is more text; returns false at the end of the stream. */
  #fill(signal: AbortSignal | undefined): boolean {
    const options = signal && { signal };
    for (;;) {
      const more = this.#core.decode(this.#reader.read1(-1, options));
      if (more !== undefined) return more;
    }
  }

  read(size: number | AbortOptions = -1, options?: AbortOptions): string {
    const [count, signal] = readArguments(size, -1, options);
    return this.#read(() => this.#core.read(count), signal);
  }

  readline(limit: number | AbortOptions = -1, options?: AbortOptions): string {
    const [count, signal] = readArguments(limit, -1, options);
    return this.#read(() => this.#core.readline(count), signal);
  }

  readlines(
    hint: number | AbortOptions = -1,
    options?: AbortOptions,
  ): string[] {
    const [count, signal] = readArguments(hint, -1, options);
    return this.#read(() => this.#core.readlines(count), signal);
  }

  lines(options: AbortOptions = {}): IterableIterator<string> {
    return eachLine(() => this.readline(options));
  }

  [Symbol.iterator](): IterableIterator<string> {
    return this.lines();
  }

  readable(): boolean {
    return this.#reader.readable();
  }

  writable(): boolean {
    return this.#reader.writable();
  }

  seekable(): boolean {
    return this.#reader.seekable();
  }

  close(): void {
    this.#core.queue.clear();
    this.#reader.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
