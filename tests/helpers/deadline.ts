/**
 * Gives each test a deadline, after which it fails, even if it blocks, and the next test runs. A test that needs longer
 * sets `timeout`, in milliseconds. `tests/deps.ts` imports this module for the test files; `deno task test` preloads it
 * for the examples of the documentation.
 *
 * @module
 */

/** The time in milliseconds that a test may take on a busy machine. Arbitrary. */
export const TEST_DEADLINE_MS = 120_000;

/**
 * Adds the deadline to the arguments of `Deno.test`: a name, options and a function, in this order. The first
 * two may be missing.
 */
export function withDeadline(args: readonly unknown[]): unknown[] {
  const at = args.findIndex((each) => typeof each === "object");
  const options = { timeout: TEST_DEADLINE_MS, ...args[at] as object };
  return at === -1 ? args.toSpliced(-1, 0, options) : args.with(at, options);
}

const test = Deno.test as (...args: unknown[]) => void;
const bounded = (...args: unknown[]) => test(...withDeadline(args));
Object.assign(Deno, { test: Object.assign(bounded, Deno.test) });
