/**
 * A resolver for tests: it asks no network.
 *
 * @module
 */

import { promises } from "node:dns";

/** Has the resolver answer with these addresses until the end of the scope. */
export function resolveTo(...addresses: string[]): Disposable {
  const { lookup } = promises;
  const found = addresses.map((address) => ({
    address,
    family: address.includes(":") ? 6 : 4,
  }));
  Object.assign(promises, { lookup: () => Promise.resolve(found) });
  return { [Symbol.dispose]: () => void Object.assign(promises, { lookup }) };
}
