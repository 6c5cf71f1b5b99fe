/**
 * Turns of the event loop.
 *
 * @module
 */

/**
 * The number of turns of the event loop for which a call that must not wait polls. A busy loop of Deno (2.9.6) checks the
 * descriptors only in every 61st tick (tokio's default `event_interval`): data in the kernel's buffer arrived after 60
 * turns in each of 8,000 trials, in 65 us. The rest is a margin.
 */
const POLL_TURNS = 64;

/** Lets the event loop turn once. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/**
 * Rejects with `error` in a later turn of the event loop. If a call that fails without waiting ended in the same turn,
 * a program that repeats it whatever the error would starve everything else, its own timers and signals too.
 */
export async function failLater(error: unknown): Promise<never> {
  await nextTurn();
  throw error;
}

/** Makes a call. If it fails, lets the event loop turn first, as {@linkcode failLater} does. */
export async function failingLater<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    return await failLater(error);
  }
}

/**
 * Lets the event loop turn until `done` returns true, at most {@linkcode POLL_TURNS} times. Returns what `done` returns then.
 */
export async function turnUntil(done: () => boolean): Promise<boolean> {
  for (let turn = 0; turn < POLL_TURNS && !done(); turn++) await nextTurn();
  return done();
}

/** Starts `source`, and lets the event loop turn until it is ready. Reports whether it is. */
export async function poll(
  source: { readonly ready: boolean; nextChange(): unknown },
): Promise<boolean> {
  source.nextChange();
  return await turnUntil(() => source.ready);
}

/**
 * Lets the event loop turn until each read in flight whose bytes have come has ended, also through TLS, which takes some
 * turns more.
 */
export async function settleReads(): Promise<void> {
  await turnUntil(() => false);
  await turnUntil(() => false);
}

let checked: Promise<unknown> | undefined;

/**
 * Resolves once the event loop has checked the descriptors. A timer fires before that if the program has kept the loop
 * busy, so a call would fail although its bytes came in time. All timers that fire in one turn share the wait.
 */
export function descriptorsChecked(): Promise<unknown> {
  if (checked === undefined) {
    checked = turnUntil(() => false);
    void nextTurn().then(() => checked = undefined);
  }
  return checked;
}
