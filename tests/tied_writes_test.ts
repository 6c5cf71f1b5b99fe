/** The sends of held writes at the end of a turn of the event loop. */

import { cancelSend, scheduleSend } from "../internal/files/tied_writes.ts";
import type { Tied } from "../mod.ts";
import { assertEquals } from "./deps.ts";
import { endOfMicrotasks, endOfTurn, FrozenClock } from "./stream_fakes.ts";

/** A writer that counts how often it is told to send. */
class Counter implements Tied {
  count = 0;

  sendHeld(): void {
    this.count++;
  }
}

Deno.test("scheduleSend() sends each writer once, and none whose send is cancelled", async () => {
  const [sent, cancelled, later] = [
    new Counter(),
    new Counter(),
    new Counter(),
  ];
  scheduleSend(sent);
  scheduleSend(cancelled);
  cancelSend(cancelled);
  await endOfTurn();
  scheduleSend(later);
  await endOfTurn();
  const counts = [sent, cancelled, later].map(({ count }) => count);
  assertEquals(counts, [1, 0, 1]);
});

Deno.test("scheduleSend() watches one turn for all writers", async () => {
  using _ = new FrozenClock();
  const { now } = performance;
  let looks = 0;
  performance.now = () => {
    looks++;
    return now();
  };
  for (let i = 0; i < 10; i++) scheduleSend(new Counter());
  await endOfMicrotasks(100);
  assertEquals(looks, 3); // when it begins, at the first write, and at those that came meanwhile
});

Deno.test("scheduleSend() begins a turn of its own when no writer holds any more", async () => {
  using clock = new FrozenClock();
  const [first, second] = [new Counter(), new Counter()];
  scheduleSend(first);
  cancelSend(first);
  await endOfMicrotasks(5);
  clock.advance(10);
  scheduleSend(second);
  await endOfMicrotasks(5);
  assertEquals(second.count, 0);
  await endOfTurn();
  assertEquals(first.count, 0);
  assertEquals(second.count, 1);
});
