import { SharedPlaces } from "../../internal/requests/shared_places.ts";
import { assert } from "../deps.ts";
import { within } from "../helpers/within.ts";

Deno.test("SharedPlaces.take() gives the last place to one of two threads that see it", async () => {
  const one = new SharedPlaces();
  const other = new SharedPlaces(one.memory);
  one.limit(1, false);
  assert(one.ready && other.ready);
  assert(one.take());
  assert(!other.take());
  assert(one.takeFilled() && !other.takeFilled());
  const free = other.fill();
  one.give();
  await within(free);
  assert(other.take());
  one.limit(1, true); // as "reject"
  assert(one.take() && one.exceeded);
});
