/**
 * Whether this thread, or process, is loading the module of a handler: a server that is made meanwhile is the program's
 * own, which would start once more in each worker and child.
 *
 * @module
 */

import type { Place } from "./handler_reference.ts";

let loading: Place | undefined;

/** Imports the module of a handler. */
export async function loadModule<T>(
  place: Place,
  load: () => Promise<T>,
): Promise<T> {
  loading = place;
  try {
    return await load();
  } finally {
    loading = undefined;
  }
}

/** Throws while the module of a handler is loaded. */
export function checkNotLoading(): void {
  if (loading === undefined) return;
  throw new Error(
    `Cannot make a server ${loading}, where its module is loaded for the handler only: make it inside of if (import.meta.main) { ... }`,
  );
}
