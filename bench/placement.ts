/**
 * Which processors a server has, and which its load.
 *
 * @module
 */

/** The processors of a server, and those of each of its load generators, by number. */
export interface Placement {
  /** Those of the server. */
  server: number[];
  /** Those of each load generator. */
  generators: number[][];
  /** Whether server and load share all processors, because none is left for the load. */
  shared: boolean;
}

/**
 * Divides a machine. The server has the first processors, and each load generator one of the others; there are no more
 * generators than the server has processors. Where the server has all, half as many generators share them with it.
 *
 * @param wanted The processors of the server.
 * @param all The processors of the machine.
 */
export function placement(
  wanted: number,
  all: number = navigator.hardwareConcurrency,
): Placement {
  const processors = Array.from({ length: all }, (_, i) => i);
  if (wanted >= all) {
    const half = Math.max(1, all >> 1);
    const generators = Array.from({ length: half }, () => processors);
    return { server: processors, generators, shared: true };
  }
  const others = processors.slice(wanted, 2 * wanted);
  return {
    server: processors.slice(0, wanted),
    generators: others.map((processor) => [processor]),
    shared: false,
  };
}

/** The counts of processors at which a server is measured: 1, 2, 4 and so on, and all. */
export function steps(all: number = navigator.hardwareConcurrency): number[] {
  const found: number[] = [];
  for (let count = 1; count < all; count *= 2) found.push(count);
  return [...found, all];
}
