/**
 * Has Deno open what it needs for signals. Otherwise Deno (2.9.6) does so half a second after the start, and panics if
 * no descriptor is left by then. For programs that run out of descriptors.
 *
 * @module
 */

const listener = () => {};
Deno.addSignalListener("SIGHUP", listener);
Deno.removeSignalListener("SIGHUP", listener);
