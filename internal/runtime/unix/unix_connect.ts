/**
 * Connects to the path of a Unix socket.
 *
 * @module
 */

import { AbortOrTimeout } from "../../waiting/abort.ts";
import { Mutex } from "../../waiting/mutex.ts";
import type { StreamTransport } from "../transport/transport.ts";

/** The first and the longest pause between two attempts, in ms. Arbitrary. */
const PAUSE_MS = 1;
const PAUSE_MAX_MS = 16;

/**
 * The calls that wait for a place in the queue of a listener, by path. The first one tries, and the others wait for it.
 */
const lines = new Map<string, Mutex>();

/**
 * Connects, and waits while the queue of the listener is full, as connect(2) does. Deno (2.9.6) fails at once.
 *
 * @param path The path, or an abstract name.
 * @param signal Ends the call when it is aborted.
 * @param dial Makes one attempt; with `Deno.connect` by default.
 */
export async function connectUnix(
  path: string,
  signal?: AbortSignal,
  dial: Dial = dialDeno,
): Promise<StreamTransport> {
  const line = lines.get(path);
  const conn = line === undefined ? await attempt(path, dial) : undefined; // no call overtakes those that wait
  return conn ?? await waitInLine(path, signal, dial);
}

/** Makes one attempt to connect to a path. */
type Dial = (path: string) => Promise<StreamTransport>;

/** Connects; undefined if the queue is full. */
async function attempt(
  path: string,
  dial: Dial,
): Promise<StreamTransport | undefined> {
  try {
    return await dial(path);
  } catch (error) {
    if (error instanceof Deno.errors.WouldBlock) return undefined;
    if ((error as { code?: unknown } | undefined)?.code === "EAGAIN") {
      return undefined;
    }
    throw error;
  }
}

async function dialDeno(path: string): Promise<StreamTransport> {
  return named(await Deno.connect({ transport: "unix", path }), path);
}

/** Names the peer by the path of the call: its listener may be bound to another name of the same file. */
function named(conn: Deno.UnixConn, path: string): StreamTransport {
  const value = { transport: "unix", path };
  return Object.defineProperty(conn, "remoteAddr", { value });
}

async function waitInLine(
  path: string,
  signal: AbortSignal | undefined,
  dial: Dial,
): Promise<StreamTransport> {
  signal?.throwIfAborted();
  let line = lines.get(path);
  if (line === undefined) lines.set(path, line = new Mutex());
  if (signal === undefined) await line.acquire();
  else await line.acquireWithin(new AbortOrTimeout(signal, null), "connect");
  try {
    for (let pause = PAUSE_MS;; pause = Math.min(2 * pause, PAUSE_MAX_MS)) {
      signal?.throwIfAborted();
      const conn = await attempt(path, dial);
      if (conn !== undefined) return conn;
      await sleep(pause, signal);
    }
  } finally {
    leave(line, path);
  }
}

function leave(line: Mutex, path: string): void {
  line.release();
  if (line.ready) lines.delete(path);
}

/** Waits, at most until the signal is aborted. */
function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal?.addEventListener("abort", done);
  });
}
