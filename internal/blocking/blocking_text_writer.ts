/**
 * The text file that writes, of a handler that blocks.
 *
 * @module
 */

import type { Encode } from "../files/codecs.ts";
import { textEncoder, type TextWriterOptions } from "../files/text_core.ts";
import type { TextWriter } from "../files/text_writer.ts";
import type { Blocking } from "./blocking_types.ts";
import type { BlockingWriter } from "./blocking_writer.ts";

/**
 * Writes text to a blocking socket: the methods of {@linkcode TextWriter}, with its errors, but they block the worker
 * and return values. `socket.makefile("w")` returns one.
 *
 * Text is sent when the buffer of the writer below is full, and by `flush` and `close`. Closing it leaves the socket
 * open.
 *
 * @category Files
 */
export interface BlockingTextWriter extends Blocking<TextWriter> {}

/** Moves the bytes of a {@linkcode BlockingTextWriter}. */
export class BlockingTextWriterShell implements BlockingTextWriter {
  readonly #writer: BlockingWriter;
  readonly #encode: Encode;

  constructor(writer: BlockingWriter, options: TextWriterOptions = {}) {
    this.#writer = writer;
    this.#encode = textEncoder(options);
  }

  get closed(): boolean {
    return this.#writer.closed;
  }

  write(text: string): number {
    this.#writer.write(this.#encode(text));
    return text.length;
  }

  writelines(lines: Iterable<string>): void {
    for (const line of lines) this.write(line);
  }

  flush(): void {
    this.#writer.flush();
  }

  close(): void {
    this.#writer.close();
  }

  readable(): boolean {
    return this.#writer.readable();
  }

  writable(): boolean {
    return this.#writer.writable();
  }

  seekable(): boolean {
    return this.#writer.seekable();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
