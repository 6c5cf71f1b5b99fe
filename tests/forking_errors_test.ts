import { GaiError, OSError, PermissionError } from "../mod.ts";
import { packError, restoreError } from "../_processes/errors.ts";
import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertStrictEquals,
} from "./deps.ts";

/** What a structured clone, as messages are, makes of an error. */
function over(error: unknown): Error & { code?: string; errno?: number } {
  return restoreError(structuredClone(packError(error))) as Error;
}

Deno.test("restoreError() makes an OSError of its class, with its parts", () => {
  const error = over(
    new PermissionError("no", {
      code: "EACCES",
      syscall: "bind",
      address: "here",
      cause: new OSError("below", { code: "EIO" }),
    }),
  ) as OSError;
  assertInstanceOf(error, PermissionError);
  assertStrictEquals(error.message, "no");
  assertEquals([error.code, error.syscall, error.address], [
    "EACCES",
    "bind",
    "here",
  ]);
  assert(error.errno !== undefined);
  assertInstanceOf(error.cause, OSError);
  const gai = over(new GaiError("name", -2, { code: "EAI_NONAME" }));
  assertInstanceOf(gai, GaiError);
  assertStrictEquals(gai.errno, -2);
});

Deno.test("restoreError() keeps name, stack and code of an error of any class", () => {
  class Own extends Error {
    override name = "Own";
    code = "E_OWN";
  }
  const own = new Own("mine");
  const error = over(own);
  assertStrictEquals(error.constructor, Error);
  assertEquals([error.name, error.message, error.code, error.stack], [
    "Own",
    "mine",
    "E_OWN",
    own.stack,
  ]);
  const named = new Error("x");
  for (const name of ["constructor", "__proto__", "toString"]) {
    named.name = name;
    assertInstanceOf(over(named), Error);
  }
});

Deno.test("restoreError() keeps the errors inside of an error", () => {
  const aggregate = over(new AggregateError([new RangeError("a"), "b"], "all"));
  assertInstanceOf(aggregate, AggregateError);
  assertInstanceOf(aggregate.errors[0], RangeError);
  assertStrictEquals(aggregate.errors[1], "b");
  const both = over(
    new SuppressedError(new TypeError("2"), new RangeError("1")),
  );
  assertInstanceOf(both, SuppressedError);
  assertInstanceOf(both.error, TypeError);
  assertInstanceOf(both.suppressed, RangeError);
  const loop = new Error("round");
  loop.cause = loop;
  assertStrictEquals(over(loop).message, "round");
});

Deno.test("restoreError() gives what is no error as text", () => {
  assertStrictEquals(restoreError(packError("text")), "text");
  assertStrictEquals(restoreError(packError({ a: 1 })), "{ a: 1 }");
});
