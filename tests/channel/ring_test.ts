import { Ring, ringMemory } from "../../internal/channel/ring.ts";
import { assert, assertEquals, assertThrows } from "../deps.ts";
import { countingBytes, seeded } from "../helpers/bytes.ts";

function ends(memory: SharedArrayBuffer): [Ring, Ring] {
  return [new Ring(memory, "producer"), new Ring(memory, "consumer")];
}

/** Takes the next frame. */
function take(ring: Ring): [number, number, Uint8Array] | undefined {
  if (!ring.next()) return undefined;
  const payload = new Uint8Array(ring.bytes.subarray(ring.start, ring.end));
  ring.free();
  return [ring.type, ring.id, payload];
}

Deno.test("Ring passes frames in order, empty ones too", () => {
  const [producer, consumer] = ends(ringMemory(256));
  assert(consumer.empty);
  assert(producer.write(1, -5, countingBytes(3, 7)));
  assert(producer.write(255, 2 ** 31 - 1, new Uint8Array(0)));
  assertEquals(take(consumer), [1, -5, countingBytes(3, 7)]);
  assertEquals(take(consumer), [255, 2 ** 31 - 1, new Uint8Array(0)]);
  assertEquals(take(consumer), undefined);
});

Deno.test("Ring.write() is false if there is no room, and says so to the consumer once", () => {
  const [producer, consumer] = ends(ringMemory(256));
  let count = 0;
  while (producer.write(1, count, countingBytes(24, count))) count++;
  assertEquals(count, 8);
  assertEquals(take(consumer)?.[1], 0);
  assert(consumer.takeWanted());
  assert(!consumer.takeWanted());
  assert(producer.write(1, count, countingBytes(24, 0)));
});

Deno.test("Ring.write() rejects a payload that could never fit", () => {
  const [producer] = ends(ringMemory(256));
  assertThrows(
    () => producer.write(1, 1, new Uint8Array(121)),
    RangeError,
    "Cannot write a frame: 121 bytes are too many for a ring of 256",
  );
});

Deno.test("Ring wraps around at the end of its memory and of its counters", () => {
  const memory = ringMemory(512);
  const control = new Int32Array(memory);
  control[0] = control[16] = 0x7fffffff - 1023 - 0x3f & ~7; // wraps to negative soon
  const [producer, consumer] = ends(memory);
  const random = seeded(1);
  let sent = 0, got = 0;
  while (got < 5000) {
    const length = random(200);
    while (
      producer.write(1 + sent % 255, sent, countingBytes(length, sent))
    ) sent++;
    for (let i = random(4); i >= 0 && got < sent; i--, got++) {
      const [type, id, payload] = take(consumer)!;
      assertEquals({ type, id }, { type: 1 + got % 255, id: got });
      assertEquals(payload, countingBytes(payload.length, got));
    }
  }
});

Deno.test("Ring.reserve() finds no room that the consumer has not left", () => {
  const [producer, consumer] = ends(ringMemory(256));
  assert(producer.write(1, 1, new Uint8Array(96)));
  assert(producer.write(1, 2, new Uint8Array(96)));
  take(consumer);
  assert(
    !producer.reserve(104),
    "only the padding to the end and the first frame are free",
  );
  take(consumer);
  assert(producer.reserve(104));
  producer.put(3, 3, countingBytes(104, 9));
  assertEquals(take(consumer), [3, 3, countingBytes(104, 9)]);
});
