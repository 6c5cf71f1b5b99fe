/**
 * Limits of time for the events that a test waits for, and for the processes that it starts.
 *
 * @module
 */

import { deadline, delay } from "../deps.ts";
import { bytes, text } from "./bytes.ts";
import { TEST_DEADLINE_MS } from "./deadline.ts";

/** Rejects if a promise takes longer than `ms`, which allows for a busy machine. */
export function within<T>(promise: Promise<T>, ms = 30_000): Promise<T> {
  return deadline(promise, ms);
}

/** Returns a command whose process is killed at the deadline of a test, so that none outlives the tests. */
export function boundedCommand(
  program: string | URL,
  options: Deno.CommandOptions = {},
): Deno.Command {
  const signal = AbortSignal.timeout(TEST_DEADLINE_MS);
  return new Deno.Command(program, { signal, ...options });
}

/** Runs a program with `input` on its stdin, and returns its output. */
export async function outputOf(
  program: string,
  args: string[],
  input = "",
): Promise<string> {
  await using child = boundedCommand(program, {
    args,
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  const [{ stdout }] = await within(Promise.all([
    child.output(),
    writer.write(bytes(input)).then(() => writer.close()),
  ]));
  return text(stdout);
}

/** An event that a test waits for. */
export class Event<T = void> {
  readonly #settled = Promise.withResolvers<T>();
  /** Whether the event has happened. */
  isSet = false;

  /** Marks the event as happened. */
  set(value: T): void {
    this.isSet = true;
    this.#settled.resolve(value);
  }

  /** Resolves when the event happens; rejects if that takes too long. */
  wait(): Promise<T> {
    return within(this.#settled.promise);
  }
}

/** The turns of the event loop after each of which {@linkcode until} looks; enough for transports in memory. Arbitrary. */
const QUICK_TURNS = 100;

/** Waits until a condition holds: looks after each turn of the event loop at first, later each few milliseconds. */
export async function until(holds: () => boolean, ms = 30_000): Promise<void> {
  const due = performance.now() + ms;
  for (let turns = 0; !holds(); turns++) {
    if (performance.now() > due) throw new Error(`not after ${ms} ms`);
    await delay(turns < QUICK_TURNS ? 0 : 5);
  }
}

/** Waits until a number stays the same for `still` milliseconds. */
export async function untilStill(
  value: () => number,
  still: number,
  ms = 30_000,
): Promise<void> {
  const due = performance.now() + ms;
  for (let before = NaN; before !== value();) {
    if (performance.now() > due) throw new Error(`changes after ${ms} ms`);
    before = value();
    await delay(still);
  }
}
