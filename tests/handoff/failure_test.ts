import {
  ConnectionResetError,
  GaiError,
  HError,
  IncompleteReadError,
  LimitOverrunError,
  OSError,
  PermissionError,
} from "../../mod.ts";
import { fromFailure, toFailure } from "../../internal/handoff/failure.ts";
import { SSLCertVerificationError, SSLEOFError, SSLError } from "../../ssl.ts";
import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertLess,
  assertStrictEquals,
} from "../deps.ts";
import { granted } from "../helpers/allowed.ts";
import { CONFIG } from "../helpers/forking.ts";
import { boundedCommand, within } from "../helpers/within.ts";

/** Returns an error after its way as JSON, as in frames; the structured clone of messages keeps more. */
function over(error: unknown): Error & { code?: string; errno?: number } {
  return fromFailure(JSON.parse(JSON.stringify(toFailure(error)))) as Error;
}

Deno.test("fromFailure() returns an OSError of its class, with its fields", () => {
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
  assertEquals(error.code, "EACCES", "code");
  assertEquals(error.syscall, "bind", "syscall");
  assertEquals(error.address, "here", "address");
  assert(error.errno !== undefined);
  assertInstanceOf(error.cause, OSError);
  const gai = over(new GaiError("name", -2, { code: "EAI_NONAME" }));
  assertInstanceOf(gai, GaiError);
  assertStrictEquals(gai.errno, -2);
});

Deno.test("fromFailure() returns errors of TLS with their reasons", () => {
  const reason = "NO_SHARED_CIPHER";
  const error = over(new SSLError("no", { reason, syscall: "doHandshake" }));
  assertInstanceOf(error, SSLError);
  assertEquals(error.reason, reason, "reason");
  assertEquals(error.code, "EPROTO", "code");
  const parts = { verifyCode: 10, verifyMessage: "certificate has expired" };
  const refused = over(new SSLCertVerificationError("no", parts));
  assertInstanceOf(refused, SSLCertVerificationError);
  assertEquals(refused.verifyCode, parts.verifyCode, "verifyCode");
  assertEquals(refused.verifyMessage, parts.verifyMessage, "verifyMessage");
  assertEquals(refused.reason, "CERTIFICATE_VERIFY_FAILED", "reason");
  const ended = over(new SSLEOFError("gone"));
  assertInstanceOf(ended, SSLEOFError);
  assertEquals(ended.code, "ECONNRESET");
});

Deno.test("fromFailure() keeps name, stack and code of an error of any class", () => {
  class Own extends Error {
    override name = "Own";
    code = "E_OWN";
  }
  const own = new Own("mine");
  const error = over(own);
  assertStrictEquals(error.constructor, Error);
  assertEquals(error.name, "Own", "name");
  assertEquals(error.message, "mine", "message");
  assertEquals(error.code, "E_OWN", "code");
  assertEquals(error.stack, own.stack, "stack");
  const named = new Error("x");
  for (const name of ["constructor", "__proto__", "toString"]) {
    named.name = name;
    assertInstanceOf(over(named), Error);
  }
});

Deno.test("fromFailure() keeps the cause and the errors of an error", () => {
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

Deno.test("fromFailure() keeps the fields of the errors of reading", () => {
  const partial = Uint8Array.of(0, 255, 128, 10);
  const short = over(
    new IncompleteReadError("short", partial, 9),
  ) as IncompleteReadError;
  assertInstanceOf(short, IncompleteReadError);
  assertEquals(short.name, "IncompleteReadError", "name");
  assertEquals(short.message, "short", "message");
  assertEquals(short.expected, 9, "expected");
  assertEquals(short.partial, partial);
  const until = over(new IncompleteReadError("until", new Uint8Array(0)));
  assertStrictEquals((until as IncompleteReadError).expected, undefined);
  const long = over(new LimitOverrunError("long", 77)) as LimitOverrunError;
  assertInstanceOf(long, LimitOverrunError);
  assertEquals(long.name, "LimitOverrunError", "name");
  assertEquals(long.consumed, 77, "consumed");
  const wrapped = over(new Error("outer", { cause: short })).cause;
  assertEquals((wrapped as IncompleteReadError).partial, partial);
});

Deno.test("toFailure() keeps at most 64 KiB of partial data of all errors together", () => {
  const big = new IncompleteReadError("big", new Uint8Array(1 << 20).fill(7));
  const both = new AggregateError([big, big]);
  assertLess(JSON.stringify(toFailure(both)).length, 100_000);
  const [one, two] = (over(both) as AggregateError).errors;
  assertEquals(one.partial, new Uint8Array(65_536).fill(7));
  assertEquals(two.partial.length, 0);
});

Deno.test("fromFailure() ignores partial data of a wrong type", () => {
  const failure = { kind: "IncompleteReadError", name: "x", message: "" };
  const error = fromFailure({ ...failure, partial: "no base64!" });
  assertEquals((error as IncompleteReadError).partial, new Uint8Array(0));
});

Deno.test("fromFailure() returns an error of the nearest known class", () => {
  class Gone extends ConnectionResetError {}
  const gone = over(new Gone("gone", { code: "ECONNRESET" })) as OSError;
  assertInstanceOf(gone, ConnectionResetError);
  assertEquals(gone.name, "Gone", "name");
  assertEquals(gone.code, "ECONNRESET", "code");
  class Line extends LimitOverrunError {}
  assertInstanceOf(over(new Line("line", 1)), LimitOverrunError);
  assertInstanceOf(over(new HError("host")), HError);
  class TimeoutError extends Error {
    override name = "TimeoutError";
  }
  assertStrictEquals(over(new TimeoutError("mine")).constructor, Error);
});

Deno.test("fromFailure() returns a DOMException with its name", () => {
  const late = over(new DOMException("too late", "TimeoutError"));
  assertInstanceOf(late, DOMException);
  assertEquals(late.name, "TimeoutError", "name");
  assertEquals(late.message, "too late", "message");
  assertEquals(late.code as unknown, DOMException.TIMEOUT_ERR, "code");
  assertStrictEquals(late instanceof OSError, false);
});

Deno.test("fromFailure() returns an error of Deno of its class", () => {
  const cause = new SyntaxError("below");
  const error = over(
    Object.assign(new Deno.errors.NotFound("lost", { cause }), {
      code: "ENOENT",
    }),
  );
  assertInstanceOf(error, Deno.errors.NotFound);
  assertEquals(error.name, "NotFound", "name");
  assertEquals(error.code, "ENOENT", "code");
  assertInstanceOf(error.cause, SyntaxError);
});

Deno.test("fromFailure() keeps the fields of system errors of any class", () => {
  const node = Object.assign(new Error("node"), {
    errno: -13,
    syscall: "open",
    address: "here",
  });
  const error = over(node) as OSError;
  assertEquals(error.errno, -13, "errno");
  assertEquals(error.syscall, "open", "syscall");
  assertEquals(error.address, "here", "address");
});

Deno.test("fromFailure() keeps the cause of every class, and an empty AggregateError", () => {
  const cause = new RangeError("why");
  const errors = [
    new AggregateError([], "none", { cause }),
    Object.assign(new SuppressedError(1, 2, "both"), { cause }),
    Object.assign(new LimitOverrunError("long", 1), { cause }),
    Object.assign(new IncompleteReadError("short", new Uint8Array(0)), {
      cause,
    }),
    Object.assign(new DOMException("late", "AbortError"), { cause }),
    new GaiError("name", -2, { cause }),
    new URIError("uri", { cause }),
  ];
  for (const error of errors) {
    const again = over(error);
    assertStrictEquals(again.constructor, error.constructor);
    assertInstanceOf(again.cause, RangeError);
  }
});

Deno.test("fromFailure() returns a thrown value that is no error as text", () => {
  assertStrictEquals(fromFailure(toFailure("text")), "text");
  assertStrictEquals(fromFailure(toFailure({ a: 1 })), "{ a: 1 }");
});

Deno.test("toFailure() limits the number of errors and the size of each", () => {
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

Deno.test("toFailure() describes a value whose properties throw", () => {
  const hostile = new Error();
  Object.defineProperty(hostile, "message", {
    get() {
      throw new Error("no");
    },
  });
  assertStrictEquals(over(hostile), "a value that cannot be shown" as never);
  const odd = Object.assign(new Error(), { name: Symbol("s"), code: 5 });
  assertEquals(over(odd).name, "Error", "name");
  assertEquals(over(odd).code, undefined, "code");
});

Deno.test("toFailure() removes colours", () => {
  assertStrictEquals(over(new Error("\x1b[31mred\x1b[0m")).message, "red");
});

Deno.test({
  name: "toFailure() renders no stack without a free descriptor",
  ignore: Deno.build.os !== "linux" || !granted("run", "read"),
  async fn() {
    const script = new URL("../testdata/scarce_failure.ts", import.meta.url);
    const child = boundedCommand("sh", {
      // deno-fmt-ignore
      args: [
        "-c", 'ulimit -n 60; exec "$0" "$@"', Deno.execPath(), "run", CONFIG,
        "--no-check", "--allow-net", "--allow-read", script.pathname,
      ],
    });
    const { stdout, stderr } = await within(child.output());
    const err = new TextDecoder().decode(stderr);
    const out = new TextDecoder().decode(stdout).trim();
    assertEquals(out, "[false,false,true]", err);
  },
});
