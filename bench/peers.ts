/**
 * The commands of all servers that are compared.
 *
 * @module
 */

import type { Contender } from "./measure.ts";

/** One of our servers with one of the handlers of `servers/handlers.ts`. */
export function ours(
  server: string,
  handler: string,
  ...args: string[]
): Contender {
  return {
    server: deno("servers/serve.ts", server, handler, ...args).server,
  };
}

/** A program in Deno. */
export function deno(...args: string[]): Contender {
  return {
    server: ["deno", "run", "-A", "--unstable-net", "--no-check", ...args],
  };
}

/** A program in Bun. */
export function bun(...args: string[]): Contender {
  return { server: ["bun", ...args] };
}

/** The plain loop that keeps its buffer of 64 KiB. */
export const DENO = deno("peers/deno_listen.ts", "reuse");
/** The plain loop with a fresh buffer of 64 KiB for each read. */
export const DENO_FRESH = deno("peers/deno_listen.ts", "fresh");
/** The plain loop with a fresh buffer of 1 KiB for each read. */
export const DENO_FRESH_SMALL = deno("peers/deno_listen.ts", "fresh", "1024");
/** The plain loop with a buffer of 1 KiB. */
export const DENO_SMALL = deno("peers/deno_listen.ts", "reuse", "1024");
/** `node:net` in Deno. */
export const DENO_NODE_NET = deno("peers/node_net.mjs");
/** `node:net` in Node. */
export const NODE: Contender = { server: ["node", "peers/node_net.mjs"] };
/** `Bun.listen`. */
export const BUN_LISTEN = bun("peers/bun_listen.mjs");
/** CPython's streams. */
export const ASYNCIO: Contender = {
  server: ["python3", "peers/python_asyncio.py"],
};
/** The limit. */
export const EPOLL: Contender = { server: ["peers/epoll_echo.c"] };

/** A server of CPython's `socketserver`. */
export function cpython(server: string, handler = "echo"): Contender {
  return {
    server: ["python3", "peers/python_socketserver.py", server, handler],
  };
}

/** The same server under another load. */
export function under(
  load: Contender["load"],
  { server }: Contender,
): Contender {
  return { server, load };
}
