import { GaiError, OSError, PermissionError } from "../mod.ts";
import { fromFailure, toFailure } from "../_remote/failure.ts";
import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertLess,
  assertStrictEquals,
} from "./deps.ts";

/** What is left of an error that went as JSON, as frames do; a structured clone, as messages are, keeps more. */
function over(error: unknown): Error & { code?: string; errno?: number } {
  return fromFailure(JSON.parse(JSON.stringify(toFailure(error)))) as Error;
}

Deno.test("fromFailure() makes an OSError of its class, with its parts", () => {
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

Deno.test("fromFailure() keeps name, stack and code of an error of any class", () => {
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

Deno.test("fromFailure() keeps the errors inside of an error", () => {
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

Deno.test("fromFailure() gives what is no error as text", () => {
  assertStrictEquals(fromFailure(toFailure("text")), "text");
  assertStrictEquals(fromFailure(toFailure({ a: 1 })), "{ a: 1 }");
});

Deno.test("toFailure() tells of a bounded number of errors, each within bounds", () => {
  const many = new AggregateError(
    Array.from({ length: 1000 }, () => new Error("\x00".repeat(100_000))),
  );
  many.cause = many;
  const told = JSON.stringify(toFailure(many));
  assertLess(told.length, 150_000);
  const { errors } = over(many) as AggregateError;
  assertStrictEquals(errors.length, 15);
  assertStrictEquals(errors[0].message.length, 4099);
});

Deno.test("toFailure() tells something of what cannot be looked at", () => {
  const hostile = new Error();
  Object.defineProperty(hostile, "message", {
    get() {
      throw new Error("no");
    },
  });
  assertStrictEquals(over(hostile), "a value that cannot be shown" as never);
  const odd = Object.assign(new Error(), { name: Symbol("s"), code: 5 });
  assertEquals([over(odd).name, over(odd).code], ["Error", undefined]);
});

Deno.test("toFailure() leaves colours behind", () => {
  assertStrictEquals(over(new Error("\x1b[31mred\x1b[0m")).message, "red");
});
