import * as frames from "../../internal/channel/frames.ts";
import { PendingCalls } from "../../internal/channel/pending_calls.ts";
import { assertEquals } from "../deps.ts";

Deno.test("PendingCalls.settle() gives each call its answer, once", async () => {
  const calls = new PendingCalls();
  const numbers: number[] = [], answers: unknown[] = [];
  for (const name of ["one", "two"]) {
    calls.start(
      (call) => numbers.push(call),
      ({ value }) => answers.push([name, value]),
    );
  }
  calls.settle(numbers[1], frames.pack({ value: 2 }));
  calls.settle(numbers[1], frames.pack({ value: "again" }));
  calls.settle(numbers[0], frames.pack({ value: 1 }));
  calls.settle(99, frames.pack({ value: "of nobody" }));
  assertEquals(answers, [["two", 2], ["one", 1]]);
  let number = 0;
  const asked = calls.call<void>((call) => number = call);
  calls.settle(number, new Uint8Array(0));
  assertEquals(await asked, undefined);
});
