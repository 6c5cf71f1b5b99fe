import * as P from "../../internal/channel/frames.ts";
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
  calls.settle(numbers[1], P.pack({ value: 2 }));
  calls.settle(numbers[1], P.pack({ value: "again" }));
  calls.settle(numbers[0], P.pack({ value: 1 }));
  calls.settle(99, P.pack({ value: "of nobody" }));
  assertEquals(answers, [["two", 2], ["one", 1]]);
  let number = 0;
  const asked = calls.call<void>((call) => number = call);
  calls.settle(number, new Uint8Array(0));
  assertEquals(await asked, undefined);
});
