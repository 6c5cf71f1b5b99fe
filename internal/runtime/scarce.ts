/**
 * Whether descriptors are left.
 *
 * @module
 */

/** Opens something that takes a descriptor, and returns what closes it. */
type Open = () => { close(): void };

const WAYS: Open[] = [
  () => Deno.openSync(new URL(import.meta.url)),
  () => Deno.listen({ hostname: "127.0.0.1", port: 0 }),
];

/** Whether an error says that no descriptor is left, to the process or to the system. */
export function isScarce(error: unknown): boolean {
  const code = (error as { code?: unknown } | null)?.code;
  return code === "EMFILE" || code === "ENFILE";
}

/**
 * Reports whether a stack may be rendered. With no descriptor left Deno (2.9.6) panics where it has to load the source
 * map of a `.ts` frame. A process without permission to read this file or to listen on the loopback cannot tell.
 *
 * @param error The error whose stack it is.
 */
export function mayRenderStack(error: unknown): boolean {
  if (isScarce(error)) return false;
  for (const open of WAYS) {
    try {
      open().close();
      return true;
    } catch (thrown) {
      if (isScarce(thrown)) return false; // else it is not allowed, or no file
    }
  }
  return true;
}
