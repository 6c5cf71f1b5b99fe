/**
 * Removes a stale path: one that a killed program has left.
 *
 * @module
 */

/**
 * The time in ms to wait for the answer of the probe: on a busy machine a worker starts late. Without an answer the path
 * stays.
 */
const PROBE_MS = 20_000;

/**
 * The program of a worker that connects to a path, because `bind` is synchronous and Deno (2.9.6) has no synchronous
 * connect. Stores 1 if the path is stale, and 2 otherwise.
 *
 * A stream socket that is bound but does not listen yet refuses connections too. With `--unstable-net` a datagram tells the
 * two apart: the bound socket answers EPROTOTYPE, and a stale path ECONNREFUSED.
 */
const PROBE = `onmessage = async ({ data: [path, cell] }) => {
  const refuses = async (call) => {
    try {
      await call();
      return false;
    } catch (error) {
      return error instanceof Deno.errors.ConnectionRefused;
    }
  };
  let stale = await refuses(async () => (await Deno.connect({ transport: "unix", path })).close());
  if (stale && Deno.listenDatagram !== undefined && Deno.build.os === "linux") {
    const transport = "unixpacket";
    const socket = Deno.listenDatagram({ transport, path: "\\0" + crypto.randomUUID() });
    stale = await refuses(() => socket.send(new Uint8Array(0), { transport, path }));
    socket.close();
  }
  Atomics.store(cell, 0, stale ? 1 : 2);
  Atomics.notify(cell, 0);
};`;

/** Reports whether a path is stale. Blocks the thread meanwhile. */
function isStale(path: string): boolean {
  const cell = new Int32Array(new SharedArrayBuffer(4));
  const source = `data:text/javascript,${encodeURIComponent(PROBE)}`;
  const worker = new Worker(source, { type: "module" });
  worker.onerror = (event) => event.preventDefault();
  worker.postMessage([path, cell]);
  Atomics.wait(cell, 0, 0, PROBE_MS);
  worker.terminate();
  return Atomics.load(cell, 0) === 1;
}

function lookAt(path: string): Deno.FileInfo | undefined {
  try {
    return Deno.lstatSync(path);
  } catch {
    return undefined;
  }
}

/**
 * Reports whether two `lstat` calls found the same file. The inode number alone does not tell: a new file may get it.
 */
function isSame(one: Deno.FileInfo, other: Deno.FileInfo | undefined): boolean {
  return one.dev === other?.dev && one.ino === other.ino &&
    one.mtime?.getTime() === other.mtime?.getTime();
}

/**
 * Removes a path if it is stale. Leaves the paths of open sockets, and files, directories and symbolic links.
 *
 * Another program may replace the path after the connect. So the path is moved aside first, and put back if it leads to
 * another file by then.
 */
export function removeStale(path: string): void {
  const found = lookAt(path);
  if (!found?.isSocket || !isStale(path)) return;
  const aside = temporaryName(path);
  try {
    Deno.renameSync(path, aside);
  } catch {
    return; // another program has removed it, or the permission is missing: the bind reports that
  }
  if (isSame(found, lookAt(aside))) return Deno.removeSync(aside);
  Deno.linkSync(aside, path);
  Deno.removeSync(aside);
}

/** Returns a new name in the directory of a path. */
export function temporaryName(path: string): string {
  const directory = path.slice(0, path.lastIndexOf("/") + 1);
  return `${directory}.${crypto.randomUUID().slice(0, 8)}`;
}
