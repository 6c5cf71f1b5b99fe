/**
 * Checks that several handlers share.
 *
 * @module
 */

/** Returns a member that `setup` sets. Throws if an override of `setup` has not called `super.setup()`. */
export function fromSetup<T>(
  value: T | undefined,
  of: object,
  name: string,
): T {
  if (value !== undefined) return value;
  throw new TypeError(
    `Cannot use ${name} of ${of.constructor.name}: its setup() must call super.setup() first, and await it`,
  );
}

/** Throws if the request of a handler for connections is a datagram; the message names the class to extend. */
export function checkConnection(
  handler: { request: unknown },
  cure: string,
): void {
  if (!Array.isArray(handler.request)) return;
  throw new TypeError(
    `Cannot handle a datagram with ${handler.constructor.name}: extend ${cure}`,
  );
}
