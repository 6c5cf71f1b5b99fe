/**
 * Reads that are written once, for readers that wait and for readers that block.
 *
 * @module
 */

/** A read: whenever it yields it needs more data, and is told whether there was any. */
export type Steps<T> = Generator<void, T, boolean>;

/** Carries out a read whose data has to be waited for. */
export async function finish<T>(
  steps: Steps<T>,
  fill: () => Promise<boolean>,
): Promise<T> {
  let step = steps.next();
  while (!step.done) {
    let more: boolean;
    try {
      more = await fill();
    } catch (error) {
      step = steps.throw(error);
      continue;
    }
    step = steps.next(more);
  }
  return step.value;
}

/** Carries out a read whose data comes while the thread blocks. */
export function finishNow<T>(steps: Steps<T>, fill: () => boolean): T {
  let step = steps.next();
  while (!step.done) {
    let more: boolean;
    try {
      more = fill();
    } catch (error) {
      step = steps.throw(error);
      continue;
    }
    step = steps.next(more);
  }
  return step.value;
}
