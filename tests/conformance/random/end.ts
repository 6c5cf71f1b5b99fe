/**
 * One of two connected stream sockets, as a model knows it.
 *
 * @module
 */

import type { Value } from "../scenario.ts";

/** The state of a socket, and the data that wait there. */
export class End {
  /** The data that were sent to the socket and not received yet, in the pieces of the sends. */
  readonly #inbox: string[] = [];
  /** Whether the peer sends no more. */
  ended = false;
  /** Whether it may send itself. */
  writing = true;
  /** Whether nothing can be sent to it any more. */
  deaf = false;
  closed = false;
  timeout: Value = null;
  /** Whether a file reads, and whether one writes; each keeps the connection open. */
  reader = false;
  writer = false;
  /** The text that the file that writes holds back. */
  held = "";

  constructor(readonly name: "x" | "y") {}

  /** All that pends. */
  get pending(): string {
    return this.#inbox.join("");
  }

  /** Whether a call waits so long that no test should wait for it. */
  get waits(): boolean {
    return this.timeout === null || this.timeout === 10;
  }

  /** The first piece that waits. Only its bytes are sure to come with one `recv`. */
  get piece(): string {
    return this.#inbox[0] ?? "";
  }

  /** Whether the connection is closed. */
  get gone(): boolean {
    return this.closed && !this.reader && !this.writer;
  }

  arrive(piece: string): void {
    if (piece !== "") this.#inbox.push(piece);
  }

  /** Receives as much. */
  take(count: number): void {
    for (let left = count; left > 0;) {
      const taken = Math.min(left, this.piece.length);
      left -= taken;
      if (taken === this.piece.length) this.#inbox.shift();
      else this.#inbox[0] = this.piece.slice(taken);
    }
  }
}
