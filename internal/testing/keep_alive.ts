/**
 * Keeping the process alive while calls wait for memory.
 *
 * @module
 */

import { MAX_DELAY } from "../waiting/timeouts.ts";

let waiting = 0;
let timer: ReturnType<typeof setInterval> | undefined;

/**
 * Waits for `event`. The process stays alive meanwhile, as it does for a call to the system: the timeouts of sockets do
 * not keep it alive.
 */
export async function keepAlive(event: Promise<void>): Promise<void> {
  if (waiting++ === 0) timer = setInterval(() => {}, MAX_DELAY);
  try {
    await event;
  } finally {
    if (--waiting === 0) clearInterval(timer);
  }
}
