/**
 * The error of a request whose child process is gone, and errors where no descriptor is left.
 *
 * @module
 */

/** A child process ended, or was ended, while it had a request. */
export class ChildProcessError extends Error {
  override readonly name = "ChildProcessError";
}

/**
 * Calls something whose errors get no stack. With no descriptor left, Deno 2.9.6 panics when it renders a frame of a
 * `.ts` file, and Node's errors render their stack as they are made.
 */
export function withoutStack<T>(call: () => T): T {
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0;
  try {
    return call();
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
}
