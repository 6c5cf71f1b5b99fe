import { Condition } from "../../internal/testing/condition.ts";
import { within } from "../helpers/within.ts";

Deno.test("Condition.wait() notices a change that comes while it makes its timer", async () => {
  const condition = new Condition();
  const { setInterval } = globalThis;
  // `deno test` runs microtasks while the first timer is made.
  globalThis.setInterval = ((...args: Parameters<typeof setInterval>) => {
    condition.notifyAll();
    return setInterval(...args);
  }) as typeof setInterval;
  try {
    await within(condition.wait());
  } finally {
    globalThis.setInterval = setInterval;
  }
});
