/** The registry of the requests under way. */

import {
  Requests,
  requestsOf,
} from "../../internal/requests/request_registry.ts";
import { type Address, Socket } from "../../socket.ts";
import { assert, assertEquals, assertStrictEquals } from "../deps.ts";

Deno.test("Requests knows each request under way, in whatever order they come and go", () => {
  const requests = new Requests({});
  const [a, b, c] = ["a", "b", "c"].map((name) => requests.begin(name));
  const left = () => Array.from(requests, ({ request }) => request).join();
  assertEquals(left(), "a,b,c", "left");
  assertEquals(requests.size, 3, "size");
  assertStrictEquals(requests.handToTask("a"), a);
  assertEquals(a.inTask, true, "aInTask");
  assertEquals(b.inTask, false, "bInTask");
  const d = requests.begin("d");
  for (const _twice of [1, 2]) requests.end(b);
  assertEquals(left(), "a,c,d", "left");
  assertEquals(requests.size, 3, "size");
  assertEquals(b.end, "finished", "end");
  requests.end(d);
  requests.end(a);
  assertStrictEquals(requests.handToTask("c"), c);
  assertEquals(requests.giveUp(), [c]);
  requests.end(c);
  assertEquals(left(), "", "left");
  assertEquals(requests.size, 0, "size");
  assertEquals(c.end, "forced", "end");
});

Deno.test("Requests.replace() keeps the signal, and lets the replacement be cut off", () => {
  const requests = new Requests({});
  const [former, current] = [new Socket(), new Socket()];
  const active = requests.begin(former, ["192.0.2.1", 1]);
  const signal = requests.signal(former);
  requests.replace(former, current);
  assertStrictEquals(requests.signal(current), signal);
  assertEquals(requests.size, 1, "size");
  assertEquals(active.request === current, true, "replaced");
  assertEquals(requests.giveUp(), [active]);
  assert(!requests.results.counts(current), "cut off");
  const late = new Socket();
  requests.replace(current, late); // the server has given the request up
  assertEquals(late.fileno(), -1, "fileno");
  assertEquals(requests.results.counts(late), false, "counts");
  assertStrictEquals(requests.replaced!.currentOf(former), late);
  requests.replaced!.closeFormer(late);
  assertEquals(former.fileno(), -1, "formerFileno");
  assertEquals(current.fileno(), -1, "currentFileno");
  requests.replace(late, late);
});

Deno.test("Requests counts a request that is got twice, and ends each", () => {
  const requests = new Requests({});
  const [first, second] = [requests.begin("one"), requests.begin("one")];
  assertEquals(requests.size, 2);
  requests.end(first);
  assertStrictEquals(requests.handToTask("one"), second);
  requests.end(second);
  assertEquals(requests.size, 0, "size");
});

Deno.test("Requests finds a request by its object, among others", () => {
  const requests = new Requests({});
  const [a, b, c] = ["a", "b", "c"].map((name) => requests.begin(name));
  const isAt = (active: unknown, name: string) =>
    assert(requests.of(name) === active, name);
  isAt(c, "c");
  isAt(a, "a");
  isAt(undefined, "d");
  requests.replace("b", "d");
  isAt(b, "d");
  const e = requests.begin("e");
  isAt(e, "e");
  isAt(b, "d");
  requests.end(e);
  requests.end(a);
  isAt(undefined, "e");
  isAt(undefined, "a");
  isAt(c, "c");
  assertEquals(requests.giveUp().map(({ request }) => request), ["d", "c"]);
  isAt(undefined, "d");
  assertEquals(requests.size, 0);
});

Deno.test("Requests.handToTask() counts a request that a hook made", () => {
  const requests = new Requests({});
  const active = requests.handToTask("made");
  assertEquals(requests.size, 1);
  assertEquals(requests.limits.ready, true);
  requests.end(active);
  assertEquals(requests.size, 0);
});

Deno.test("RequestLimits.exceeds() forgets the requests that were given up", () => {
  const server = { maxConnectionsPerClient: 1 };
  const requests = requestsOf(server);
  const client: Address = ["192.0.2.1", 1];
  const [first, second] = [{}, {}];
  const active = requests.begin(first, client);
  assertEquals(requests.giveUp(), [active]);
  requests.begin(second, client);
  requests.end(active); // late: its place went to the second one
  assert(!requests.limits.exceeds(second));
  const third = {};
  const last = requests.begin(third, client);
  assert(requests.limits.exceeds(third));
  requests.end(last);
  assert(!requests.limits.exceeds(second));
});

Deno.test("RequestLimits.exceeds() forgets what it has counted of those that were given up", () => {
  const requests = requestsOf({ maxConnectionsPerClient: 1 });
  const client: Address = ["192.0.2.1", 1];
  const [first, second] = [{}, {}];
  requests.begin(first, client);
  assert(!requests.limits.exceeds(first)); // counts from now on
  requests.giveUp();
  requests.begin(second, client);
  assert(!requests.limits.exceeds(second));
});

Deno.test("RequestResults.counts() forgets a request that was given up, when it has ended", () => {
  const requests = requestsOf({});
  const request = {};
  const active = requests.begin(request);
  assert(requests.results.counts(request));
  requests.giveUp();
  assert(!requests.results.counts(request));
  requests.end(active);
  assert(requests.results.counts(request));
});
