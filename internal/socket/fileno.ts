/**
 * The numbers of open sockets, for `select` and servers.
 *
 * @module
 */

/** The open sockets by number. The array grows to the largest number of sockets open at a time. */
const owners: (object | undefined)[] = [];
const free: number[] = [];

/** The next new number: 0, 1 and 2 are the standard streams everywhere. */
let next = 3;

/** Returns a number for `owner`, which has it until {@linkcode releaseFileno}. */
export function takeFileno(owner: object): number {
  const fileno = free.pop() ?? next++;
  owners[fileno] = owner;
  return fileno;
}

/** Frees the number of an owner that closes. */
export function releaseFileno(fileno: number): void {
  if (owners[fileno] === undefined) return;
  owners[fileno] = undefined;
  free.push(fileno);
}

/** Returns the owner of a number; undefined if nothing open has it. */
export function ownerOf(fileno: number): object | undefined {
  return owners[fileno];
}
