/**
 * The error of a request whose child process is gone.
 *
 * @module
 */

/** A child process ended, or was ended, while it had a request. */
export class ChildProcessError extends Error {
  override readonly name = "ChildProcessError";
}
