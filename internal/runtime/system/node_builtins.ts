/**
 * Node's built-in modules, loaded at first use. Loading one takes 15 to 20 ms, so a program that needs none should not
 * wait for it.
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

/** The `node:tls` module. */
export function nodeTls(): typeof import("node:tls") {
  return globalThis.process.getBuiltinModule("node:tls");
}

/** The `node:crypto` module. */
export function nodeCrypto(): typeof import("node:crypto") {
  return globalThis.process.getBuiltinModule("node:crypto");
}

/** The class of `node:events`. */
export function nodeEvents(): typeof import("node:events").EventEmitter {
  return globalThis.process.getBuiltinModule("node:events").EventEmitter;
}

/** The `node:v8` module. */
export function nodeV8(): typeof import("node:v8") {
  return globalThis.process.getBuiltinModule("node:v8");
}

/** A module inside of Node, whose classes `node:net` and `node:dgram` are made of. The types lack it. */
// deno-lint-ignore no-explicit-any
export function nodeBinding(name: string): any {
  return (globalThis.process as unknown as {
    binding(name: string): unknown;
  }).binding(name);
}
