/**
 * The numbers by which `select` and servers know sockets.
 *
 * @module
 */

/** By number: there are as many places as there were sockets open at a time. */
const owners: (object | undefined)[] = [];
const free: number[] = [];

/** 0, 1 and 2 are the standard streams everywhere; numbers here start above them. */
let next = 3;

/** Gives `owner` a number that nobody has. */
export function takeFileno(owner: object): number {
  const fileno = free.pop() ?? next++;
  owners[fileno] = owner;
  return fileno;
}

/** Takes a number back when its owner closes. */
export function releaseFileno(fileno: number): void {
  if (owners[fileno] === undefined) return;
  owners[fileno] = undefined;
  free.push(fileno);
}

/** Who has the number. */
export function ownerOf(fileno: number): object | undefined {
  return owners[fileno];
}
