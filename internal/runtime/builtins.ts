/**
 * Node's built-in modules, loaded at the first use: that costs 15 to 20 ms, which a program that
 * never asks for one does not pay.
 *
 * @module
 */

/** The `node:dns` module. */
export function nodeDns(): typeof import("node:dns") {
  return globalThis.process.getBuiltinModule("node:dns");
}

/** The `node:dgram` module. */
export function nodeDgram(): typeof import("node:dgram") {
  return globalThis.process.getBuiltinModule("node:dgram");
}

/** The `node:net` module. */
export function nodeNet(): typeof import("node:net") {
  return globalThis.process.getBuiltinModule("node:net");
}

/** The `node:child_process` module. */
export function nodeChildProcess(): typeof import("node:child_process") {
  return globalThis.process.getBuiltinModule("node:child_process");
}
