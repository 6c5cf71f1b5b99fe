/**
 * Loads the module of a handler in a worker or a child, and refuses servers that the module creates meanwhile.
 *
 * @module
 */

/** The place in which handlers run, for error messages. */
export type HandlerPlace = "in a worker" | "in another process";

/**
 * The place in which this thread or process imports a handler's module, while it does. A server created meanwhile is the
 * program's own, which would start again in each worker and child.
 */
let loading: HandlerPlace | undefined;

/** Imports a handler's module. */
export async function loadModule<T>(
  place: HandlerPlace,
  load: () => Promise<T>,
): Promise<T> {
  loading = place;
  try {
    return await load();
  } catch (error) {
    throw notFound(error, place);
  } finally {
    loading = undefined;
  }
}

/** Returns the error of a module that does not exist where the handler runs; any other error as it is. */
function notFound(error: unknown, place: HandlerPlace): unknown {
  const { message } = Object(error);
  if (!(error instanceof TypeError) || !/^Module not found/.test(message)) {
    return error;
  }
  return new TypeError(
    `Cannot import the module of the handler ${place}: ${
      message.replace(/\.$/, "")
    }; write the class into a file, and in it moduleUrl = import.meta.url`,
    { cause: error },
  );
}

/** Throws an Error while a handler's module is being imported. */
export function checkNotLoading(): void {
  if (loading === undefined) return;
  throw new Error(
    `Cannot make a server ${loading}, where its module is loaded for the handler only: make it inside of if (import.meta.main) { ... }`,
  );
}
