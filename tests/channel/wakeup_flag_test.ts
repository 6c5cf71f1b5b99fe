import {
  WAKEUP_FLAG_BYTES,
  WakeupFlag,
} from "../../internal/channel/wakeup_flag.ts";
import { assert, deadline } from "../deps.ts";

Deno.test("WakeupFlag.notifyIfWaiting() wakes a sleeper, and only one that armed it", async () => {
  const memory = new SharedArrayBuffer(2 * WAKEUP_FLAG_BYTES);
  const mine = new WakeupFlag(memory, WAKEUP_FLAG_BYTES);
  const theirs = new WakeupFlag(memory, WAKEUP_FLAG_BYTES);
  theirs.notifyIfWaiting();
  mine.prepareWait();
  const slept = mine.waitAsync();
  theirs.notifyIfWaiting();
  await deadline(slept, 60_000);
  await deadline(mine.waitAsync(), 60_000); // awake: does not sleep
  mine.prepareWait();
  assert(!mine.wait(1));
  mine.cancelWait();
  assert(mine.wait(60_000)); // awake: does not block
});
