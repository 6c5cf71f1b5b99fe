/**
 * Gives each test a deadline. A test that hangs or blocks fails then, and the tests after it still run; a test
 * that needs longer says `timeout` in milliseconds. `tests/deps.ts` imports this module, so that each test file
 * has it; `deno task test` preloads it, so that the examples of the documentation have it as well.
 *
 * @module
 */

/** How long a test may take on a busy machine, in milliseconds; arbitrary. */
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
