/**
 * Whether the event loop of a child process turns, as far as the server can know.
 *
 * @module
 */

/** The child process of a {@linkcode Liveness}. */
export interface ProbedChild {
  /** Sends the child a question that it answers when its event loop turns. */
  sendProbe(): void;
  /** Called when the child has answered a question. */
  onTurn(): void;
  /** Called when the child has become silent, or was heard again. */
  onSilence(): void;
}

/** Asks a child whether its event loop turns, and notes when it was heard. */
export class Liveness {
  readonly #child: ProbedChild;
  /** The time at which {@linkcode Liveness.check} has asked the child, if the child was not heard since. */
  #checked: number | undefined;
  /** The time at which the child was last heard, on the clock of `performance.now()`. */
  heard = 0;
  /** Whether the child was not heard between two checks: its handler computes, or it is stopped. */
  silent = false;
  /** The time at which {@linkcode Liveness.probe} has asked the child; undefined once it has answered. */
  probed: number | undefined;
  /** The number of answers since the last request of the child was acknowledged. */
  turns = 0;

  /** @param child The child. */
  constructor(child: ProbedChild) {
    this.#child = child;
  }

  /** Notes that the child has sent a message. */
  hear(): void {
    this.heard = performance.now();
    this.#checked = undefined;
    if (this.silent) this.#changeSilence();
  }

  #changeSilence(): void {
    this.silent = !this.silent;
    this.#child.onSilence();
  }

  /** Asks the child, unless an answer is still to come. */
  probe(): void {
    if (this.probed !== undefined) return;
    this.probed = performance.now();
    this.#child.sendProbe();
  }

  /** Notes an answer: the event loop has turned. */
  turned(): void {
    if (this.probed !== undefined) this.turns++;
    this.probed = undefined;
    this.#child.onTurn();
  }

  /**
   * Asks a child that was heard since the last check. One that was not heard is silent.
   *
   * @returns The seconds for which a child that was silent before has been silent; 0 for others.
   */
  check(): number {
    if (this.#checked === undefined) {
      this.#checked = performance.now();
      this.#child.sendProbe();
      return 0;
    }
    if (this.silent) return (performance.now() - this.#checked) / 1000;
    this.#changeSilence();
    return 0;
  }
}
