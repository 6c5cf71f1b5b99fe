/** Waits and other parts of the probes. A probe resolves to true if Deno has the fault. */

import "../early_signals.ts";

/** Waits that many milliseconds. */
export const sleep = (ms: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, ms));

/** Lets the event loop turn once. */
export const nextTurn = (): Promise<void> =>
  new Promise((resolve) => setImmediate(resolve));

/** Reports whether a promise settles within that many milliseconds. */
export async function settles(
  promise: Promise<unknown>,
  ms: number,
): Promise<boolean> {
  let settled = false;
  const settle = () => settled = true;
  await Promise.race([promise.then(settle, settle), sleep(ms)]);
  return settled;
}

/** Returns what a promise rejects with. */
export async function rejection(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise;
  } catch (error) {
    return error;
  }
}

/** Reports whether this process uses a tenth of a second of processor time within ten seconds, in which it should sleep. */
export async function isBusy(): Promise<boolean> {
  const before = globalThis.process.cpuUsage();
  for (let trial = 0; trial < 100; trial++) {
    await sleep(100);
    const { user, system } = globalThis.process.cpuUsage(before);
    if (user + system > 100_000) return true;
  }
  return false;
}

/** Opens files until no descriptor is left. */
export function takeDescriptors(): Deno.FsFile[] {
  const held: Deno.FsFile[] = [];
  try {
    for (;;) held.push(Deno.openSync("/dev/null"));
  } catch {
    return held;
  }
}

/** Returns the URL of a module with this source. */
export function moduleOf(source: string): URL {
  return new URL(`data:text/javascript,${encodeURIComponent(source)}`);
}
