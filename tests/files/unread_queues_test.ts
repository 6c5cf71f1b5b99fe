import { ByteQueue } from "../../internal/files/unread_queues.ts";
import { assert, assertEquals } from "../deps.ts";
import {
  type Bytes,
  cut,
  fromLatin1,
  latin1,
  seeded,
} from "../helpers/bytes.ts";

type Random = (below: number) => number;

/** One random operation, on the queue and on the string that it should be. */
function step(queue: ByteQueue, model: string, random: Random): string {
  const count = random(2) === 0 ? random(40) : random(4000);
  const most = Math.min(count, model.length);
  switch (random(8)) {
    case 0: {
      const target = new Uint8Array(count);
      assertEquals(queue.takeInto(target), most);
      assertEquals(latin1(target.subarray(0, most)), model.slice(0, most));
      return model.slice(most);
    }
    case 1:
      queue.drop(most);
      return model.slice(most);
    case 2: {
      const parts: Bytes[] = [];
      for (let left = most; left > 0; left -= parts.at(-1)!.length) {
        parts.push(queue.take(1 + random(left)));
      }
      queue.putBack(parts);
      return model;
    }
    case 3:
      assertEquals(latin1(queue.take(most)), model.slice(0, most));
      return model.slice(most);
    default: {
      const size = random(3) === 0 ? 500 + random(1500) : random(5);
      const chunk = Uint8Array.from(
        { length: size },
        () => "\r\nab".charCodeAt(random(4)),
      );
      if (size > 0) queue.push(chunk);
      return model + latin1(chunk);
    }
  }
}

/** Asks the queue what it can be asked without taking. */
function check(queue: ByteQueue, model: string, random: Random): void {
  assertEquals(queue.length, model.length);
  const count = random(3000);
  assertEquals(latin1(queue.copy(count)), model.slice(0, count));
  const from = random(model.length + 1);
  const lineEnd = model.indexOf("\n", from);
  assertEquals(queue.lineEnd(from), lineEnd < 0 ? -1 : lineEnd + 1);
  for (const pattern of ["\n", "\r\n\r\n", "abababab", "aab\nb\rab\r\r"]) {
    assertEquals(
      queue.indexOf(fromLatin1(pattern), from),
      model.indexOf(pattern, from),
    );
  }
}

Deno.test("ByteQueue is one sequence of bytes, whatever the chunks", () => {
  for (let seed = 0; seed < 100; seed++) {
    const random = seeded(seed);
    const queue = new ByteQueue();
    let model = "";
    for (let turn = 0; turn < 60; turn++) {
      model = step(queue, model, random);
      check(queue, model, random);
    }
    assertEquals(latin1(queue.take(queue.length)), model);
  }
});

Deno.test("ByteQueue.indexOf() finds what goes across many chunks", () => {
  const random = seeded(1);
  for (const [before, most] of [[600, 600], [600, 2], [1, 1]]) {
    const pattern = Uint8Array.from({ length: 1500 }, (_, index) => index % 7);
    const queue = new ByteQueue();
    queue.push(new Uint8Array(before).fill(9));
    for (const chunk of cut(pattern, random, most)) queue.push(chunk);
    assertEquals(queue.indexOf(pattern, 0), before);
    assertEquals(queue.indexOf(pattern, before), before);
    assertEquals(queue.indexOf(pattern, before + 1), -1);
  }
});

Deno.test("ByteQueue.take() views the memory of a large chunk and never shares small ones", () => {
  const queue = new ByteQueue();
  const chunk = new Uint8Array(1000);
  queue.push(chunk);
  assert(queue.take(10).buffer === chunk.buffer);
  const foreign = new Uint8Array(1000).subarray(0, 10);
  queue.clear();
  queue.push(foreign);
  queue.push(Uint8Array.of(1));
  assertEquals(foreign.buffer.byteLength, 1000);
  assert(
    new Uint8Array(foreign.buffer).every((byte) => byte === 0),
    "wrote into a foreign buffer",
  );
});

Deno.test("ByteQueue.clear() forgets everything", () => {
  const queue = new ByteQueue();
  queue.push(Uint8Array.of(1));
  queue.push(Uint8Array.of(2));
  queue.take(1);
  queue.clear();
  assertEquals(queue.length, 0);
  assertEquals(queue.take(0).length, 0);
  queue.push(Uint8Array.of(3));
  assertEquals([...queue.take(1)], [3]);
});

Deno.test("ByteQueue.take() of many chunks costs no more for each of them", () => {
  const chunk = new Uint8Array(512);
  const queue = new ByteQueue();
  const { shift } = Array.prototype;
  let shifts = 0;
  try {
    // each moves all that is left in a long array
    Array.prototype.shift = function (this: unknown[]) {
      shifts++;
      return shift.call(this);
    };
    for (let i = 0; i < 1000; i++) queue.push(chunk);
    assertEquals(queue.take(1000 * 512 - 5).length, 1000 * 512 - 5);
    assertEquals(queue.length, 5);
    assertEquals(queue.take(5).length, 5);
    assertEquals(queue.length, 0);
  } finally {
    Array.prototype.shift = shift;
  }
  assert(shifts < 10, `${shifts} shifts`);
});
