import {
  BlockingIOError,
  BrokenPipeError,
  ConnectionAbortedError,
  ConnectionError,
  ConnectionRefusedError,
  ConnectionResetError,
  FileExistsError,
  FileNotFoundError,
  GaiError,
  HError,
  InterruptedError,
  OSError,
  PermissionError,
  TimeoutError,
} from "../../socket.ts";
import {
  type ErrnoName,
  errnoName,
  errnoOf,
  isErrnoName,
  strerror,
} from "../../internal/base/errno.ts";
import { osError, translate } from "../../internal/base/translate_error.ts";
import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertStrictEquals,
} from "../deps.ts";
import { python } from "../helpers/python.ts";
import { havePython } from "../helpers/allowed.ts";

/** The classes of Deno's errors for system calls on sockets and files, and their codes. */
// deno-fmt-ignore
const NAMED: [new (message: string) => Error, ErrnoName][] = [
  [Deno.errors.AddrInUse, "EADDRINUSE"], [Deno.errors.AddrNotAvailable, "EADDRNOTAVAIL"],
  [Deno.errors.AlreadyExists, "EEXIST"], [Deno.errors.BadResource, "EBADF"],
  [Deno.errors.BrokenPipe, "EPIPE"], [Deno.errors.Busy, "EBUSY"],
  [Deno.errors.ConnectionAborted, "ECONNABORTED"], [Deno.errors.ConnectionRefused, "ECONNREFUSED"],
  [Deno.errors.ConnectionReset, "ECONNRESET"], [Deno.errors.Interrupted, "EBADF"],
  [Deno.errors.NetworkUnreachable, "ENETUNREACH"], [Deno.errors.NotCapable, "EACCES"],
  [Deno.errors.NotConnected, "ENOTCONN"], [Deno.errors.NotFound, "ENOENT"],
  [Deno.errors.PermissionDenied, "EACCES"], [Deno.errors.TimedOut, "ETIMEDOUT"],
  [Deno.errors.WouldBlock, "EAGAIN"],
];

/** The subclasses of OSError and their codes. Source: PEP 3151. */
const CLASSES: [typeof OSError, ErrnoName[]][] = [
  [BlockingIOError, ["EAGAIN", "EALREADY", "EINPROGRESS"]],
  [TimeoutError, ["ETIMEDOUT"]],
  [PermissionError, ["EACCES", "EPERM"]],
  [FileNotFoundError, ["ENOENT"]],
  [FileExistsError, ["EEXIST"]],
  [InterruptedError, ["EINTR"]],
  [BrokenPipeError, ["EPIPE", "ESHUTDOWN"]],
  [ConnectionAbortedError, ["ECONNABORTED"]],
  [ConnectionRefusedError, ["ECONNREFUSED"]],
  [ConnectionResetError, ["ECONNRESET"]],
  [OSError, [
    "EADDRINUSE",
    "EBADF",
    "EINVAL",
    "ENOTCONN",
    "EMFILE",
    "EHOSTUNREACH",
  ]],
];

const doing = { syscall: "connect", address: "127.0.0.1:80" };

Deno.test("translate() recognizes errors of Deno by name", () => {
  for (const [DenoError, code] of NAMED) {
    const cause = new DenoError("as Deno says it");
    const error = translate(cause, doing);
    assertInstanceOf(error, OSError);
    assertEquals(error.code, code, `${DenoError.name}: code`);
    assertEquals(error.errno, errnoOf(code), `${DenoError.name}: errno`);
    assertEquals(error.syscall, doing.syscall, "syscall");
    assertEquals(error.address, doing.address, "address");
    assertStrictEquals(error.cause, cause);
    assert(error.message.endsWith(`(${code})`), error.message);
  }
});

Deno.test("translate() recognizes errors of Deno and Node by code", () => {
  for (const code of ["EMFILE", "ENOBUFS", "EPROTO", "EHOSTUNREACH"] as const) {
    const error = translate(
      Object.assign(new Error("accept failed"), { code }),
      { syscall: "accept" },
    );
    assertInstanceOf(error, OSError);
    assertEquals(error.message, `Cannot accept: ${strerror(code)} (${code})`);
  }
  const both = Object.assign(new Deno.errors.NotConnected("x"), {
    code: "ENOTCONN",
  });
  assertEquals((translate(both, doing) as OSError).code, "ENOTCONN");
});

Deno.test("translate() recognizes errors of Deno by the number in the message", () => {
  const cause = new Error(
    `Cannot assign requested address (os error ${errnoOf("EADDRNOTAVAIL")})`,
  );
  assertEquals((translate(cause, doing) as OSError).code, "EADDRNOTAVAIL");
});

Deno.test("translate() takes no property name of Object for a code", () => {
  const names = Object.getOwnPropertyNames(Object.prototype);
  for (const name of [...names, "name", "length"]) {
    const cause = Object.assign(new Error("as it is"), { name, code: name });
    const error = translate(cause, doing);
    assertInstanceOf(error, OSError);
    assertEquals(
      error.message,
      'Cannot connect "127.0.0.1:80": as it is',
      `${name}: message`,
    );
    assertEquals(error.code, undefined, `${name}: code`);
    assertEquals(error.errno, undefined, `${name}: errno`);
  }
});

Deno.test("translate() keeps the message and the cause of an unknown error", () => {
  for (const message of ["tls handshake eof", "strange (os error 99999)"]) {
    const cause = new Error(message);
    const error = translate(cause, doing);
    assertInstanceOf(error, OSError);
    assertEquals(error.message, `Cannot connect "127.0.0.1:80": ${message}`);
    assertEquals(error.name, "OSError", "name");
    assertEquals(error.code, undefined, "code");
    assertEquals(error.errno, undefined, "errno");
    assertStrictEquals(error.cause, cause);
  }
});

Deno.test("translate() returns errors of a program, and other values, unchanged", () => {
  for (
    const error of [
      osError("EBADF", doing),
      new TypeError("x"),
      new RangeError("x"),
      "text",
      5,
      undefined,
    ]
  ) {
    assertStrictEquals(translate(error, doing), error);
  }
});

Deno.test("translate() names the missing permission", () => {
  const cause = new Deno.errors.NotCapable(
    'Requires net access to "a.test:80", run again with --allow-net',
  );
  const error = translate(cause, doing);
  assertInstanceOf(error, PermissionError);
  assertEquals(
    error.message,
    `Cannot connect "127.0.0.1:80": ${cause.message} (EACCES)`,
  );
});

Deno.test("osError() returns an error of the class for the code", () => {
  for (const [Class, codes] of CLASSES) {
    for (const code of codes) {
      const error = osError(code, { syscall: "recv" });
      assertStrictEquals(error.constructor, Class);
      assertEquals(error.name, Class.name, "name");
      assertEquals(error.code, code, "code");
      assertEquals(error.errno, errnoOf(code), "errno");
      assertEquals(error.message, `Cannot recv: ${strerror(code)} (${code})`);
      assertEquals("cause" in error, false);
    }
  }
});

Deno.test("osError() quotes the address in the message, and not in the property", () => {
  const reason = "there is a reason";
  const error = osError("EINVAL", {
    syscall: "bind",
    address: 'a"b',
    reason,
    cause: 5,
  });
  assertEquals(
    error.message,
    'Cannot bind "a\\"b": there is a reason (EINVAL)',
  );
  assertEquals(error.address, 'a"b', "address");
  assertEquals(error.cause, 5, "cause");
});

Deno.test("OSError has Python's subclasses", () => {
  const classes = [
    BrokenPipeError,
    ConnectionAbortedError,
    ConnectionRefusedError,
    ConnectionResetError,
  ];
  for (const Class of classes) {
    assertInstanceOf(new Class("x"), ConnectionError);
  }
  for (
    const Class of [...CLASSES.map(([Class]) => Class), ConnectionError, HError]
  ) {
    const error = new Class("text");
    assertInstanceOf(error, OSError);
    assertInstanceOf(error, Error);
    assertEquals(error.name, Class.name, "name");
    assertEquals(error.message, "text", "message");
    assertEquals(error.errno, undefined, "errno");
    assertEquals(String(error), `${Class.name}: text`);
  }
  assertEquals(new OSError("x", { code: "no such code" }).errno, undefined);
});

Deno.test("GaiError has the error number of the resolver", () => {
  const cause = new Error("below");
  const error = new GaiError("text", -2, {
    code: "EAI_NONAME",
    syscall: "getaddrinfo",
    address: "a.test",
    cause,
  });
  assertInstanceOf(error, OSError);
  assertEquals(error.name, "GaiError", "name");
  assertEquals(error.errno, -2, "errno");
  assertEquals(error.code, "EAI_NONAME", "code");
  assertEquals(error.syscall, "getaddrinfo", "syscall");
  assertEquals(error.address, "a.test", "address");
  assertEquals(error.cause, cause, "cause");
  assertEquals("cause" in new GaiError("text", -2), false);
});

Deno.test("errnoName() is the inverse of errnoOf()", () => {
  for (const [, code] of NAMED) assertEquals(errnoName(errnoOf(code)), code);
  assertEquals(errnoName(99999), undefined);
  assertEquals(["EBADF", "toString", 9].filter(isErrnoName), ["EBADF"]);
});

Deno.test({
  name: "errnoOf(), strerror() and osError() agree with CPython",
  ignore: !havePython(),
  async fn() {
    const codes = [
      ...new Set([
        ...NAMED.map(([, code]) => code),
        ...CLASSES.flatMap(([, codes]) => codes),
      ]),
    ];
    const body =
      "import errno, os\nnumber = getattr(errno, row[0])\nreturn [number, os.strerror(number), OSError(number, '').__class__.__name__]";
    const said = await python(body, codes.map((code) => [code]));
    assertEquals(
      codes.map((
        code,
      ) => [errnoOf(code), strerror(code), osError(code, doing).name]),
      said as [number, string, string][],
    );
  },
});
