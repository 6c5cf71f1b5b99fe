/**
 * Limits of time for what a test waits for and for what it starts.
 *
 * @module
 */

import { deadline } from "../deps.ts";
import { TEST_DEADLINE_MS } from "./deadline.ts";

/** Rejects if a promise takes longer than it may on a busy machine. */
export function within<T>(promise: Promise<T>, ms = 30_000): Promise<T> {
  return deadline(promise, ms);
}

/** A command whose process is ended when it runs longer than a test may, so that none outlives the tests. */
export function boundedCommand(
  program: string | URL,
  options: Deno.CommandOptions = {},
): Deno.Command {
  const signal = AbortSignal.timeout(TEST_DEADLINE_MS);
  return new Deno.Command(program, { signal, ...options });
}
