/**
 * The differences to CPython that are allowed, by the names of the rows of docs/differences.md.
 *
 * @module
 */

import { assertEquals } from "../deps.ts";

/** The patterns of a line of both transcripts in which the difference shows. */
export interface Difference {
  python: RegExp;
  here: RegExp;
  /** Whether it may show in every scenario, without being named there. */
  everywhere?: boolean;
}

/** All of them. */
export const DIFFERENCES: Record<string, Difference> = {
  "timeout-errno": {
    python: /!TimeoutError(\\x0a")?$/,
    here: /!TimeoutError ETIMEDOUT(\\x0a")?$/,
    everywhere: true,
  },
  "argument-errors": {
    python: /!(ValueError|TypeError|OverflowError)$/,
    here: /!(RangeError|TypeError)$/,
    everywhere: true,
  },
  "plain-oserror": {
    python: /!OSError$/,
    here: /!OSError E[A-Z0-9]+$/,
    everywhere: true,
  },
  "ipv6-address": {
    python: /, (PORT|80), 0, 0\]/,
    here: /, (PORT|80)\]/,
    everywhere: true,
  },
  "sendto-connected": {
    python: /^x.sendto -> 1$|^y.recv -> b"a"/,
    here: /^x.sendto -> !OSError EISCONN$|^y.recv -> b""/,
  },
  "sendfile-path": {
    python: /^x.sendfile -> !AttributeError$/,
    here: /^x.sendfile -> !FileNotFoundError ENOENT$/,
  },
  "file-after-timeout": {
    python: /^f.readline -> !OSError$/,
    here: /^f.readline -> (!TimeoutError ETIMEDOUT|b"line\\x0a")$/,
  },
  "close-unread": {
    python: /^c.recv -> !ConnectionResetError ECONNRESET$/,
    here: /^c.recv -> b""$/,
  },
  "no-linger": {
    python: /-> (null|!ConnectionResetError ECONNRESET)$/,
    here: /-> (!OSError ENOPROTOOPT|b"")$/,
  },
  "detach": {
    python: /x.detach -> (-1|\d+)$/,
    here: /x.detach -> (<d>|!OSError EBADF)$/,
  },
  "bound-listens": {
    python: /^u.connect -> !ConnectionRefusedError ECONNREFUSED$/,
    here: /^u.connect -> null$/,
  },
  "socket-type": {
    python: /^socket -> !OSError EINVAL$/,
    here: /^socket -> !OSError EPROTONOSUPPORT$/,
  },
  "not-supported": {
    python: /-> !UnsupportedOperation$/,
    here: /-> !TypeError$/,
  },
  "decode-error": {
    python: /-> !UnicodeDecodeError$/,
    here: /-> !TypeError$/,
  },
  "reuse-address": {
    python: /^s.(setsockopt -> null|getsockopt -> 0)$/,
    here: /^s.(setsockopt -> !OSError ENOPROTOOPT|getsockopt -> 1)$/,
  },
  "option-bytes": {
    python: /^s.getsockopt -> (b"\\x01\\x00\\x00\\x00"|!OSError)$/,
    here: /^s.getsockopt -> 1$/,
  },
  "select-at-once": {
    python: /^select -> \[\[<y>\], \[<x>\], \[\]\]$/,
    here: /^select -> \[\[\], \[<x>\], \[\]\]$/,
  },
  "select-closed": {
    python: /^select -> !ValueError$/,
    here: /^select -> !OSError EBADF$/,
  },
  "packed-length": {
    python: /^inet_ntoa -> !OSError$/,
    here: /^inet_ntoa -> !RangeError$/,
  },
  "getaddrinfo-raw": {
    python: /, \[2, 3, 0, "", \["127.0.0.1", 80\]\]\]$/,
    here: /\[2, 2, 17, "", \["127.0.0.1", 80\]\]\]$/,
  },
  "request-queue-size": {
    python: /-> 5$/,
    here: /-> 511$/,
  },
  "server-close-report": {
    python: /^server.server_close -> null$/,
    here: /^server.server_close -> <object>$/,
  },
  "empty-answer": {
    python: /^c.recv -> b""$/,
    here: /^c.recv -> !TimeoutError( ETIMEDOUT)?$/,
  },
  "no-delay-unix": {
    python: /^drain -> b""$/,
    here: /^drain -> b"x"$/,
  },
  "socketpair-family": {
    python: /^x.family\? -> 1$/,
    here: /^x.family\? -> 2$/,
  },
  "unix-path": {
    python: /^c.connect -> !ConnectionRefusedError ECONNREFUSED$/,
    here: /^c.connect -> !FileNotFoundError ENOENT$/,
  },
  "line-limit": {
    python: /^f.readline -> bytes\(70001\)$/,
    here: /^f.readline -> !LimitOverrunError$/,
  },
  "dual-stack": {
    python: /^c = create_connection -> !ConnectionRefusedError ECONNREFUSED$/,
    here: /^c = create_connection -> <c>$/,
  },
  "verify-throws": {
    python: /^server.handle_request -> !ValueError$/,
    here: /^server.handle_request -> null$/,
  },
  "answer-of-a-throw": {
    python: /^c.recv -> b"half"$/,
    here: /^c.recv -> !TimeoutError( ETIMEDOUT)?$/,
  },
  "forking-timeout": {
    python: /^server.timeout\? -> 300$/,
    here: /^server.timeout\? -> null$/,
  },
  "ended-connection": {
    python: /^x.(getpeername|shutdown) -> !OSError ENOTCONN$/,
    here: /^x.(getpeername -> \["127.0.0.1", PORT\]|shutdown -> null)$/,
  },
  "closed-socket": {
    python: /^s.(gettimeout -> 5|recv -> b"")$/,
    here: /^s.(gettimeout -> null|recv -> !OSError EBADF)$/,
  },
  "tied-files": {
    python: /^c.recv -> !TimeoutError$/,
    here: /^c.recv -> b"answer"$/,
  },
  "tls-half-close": {
    python: /^drain -> b"\\x17\\x03\\x03/, // a record of TLS
    here: /^drain -> b"(all"$|\\x17\\x03\\x03)/, // or CPython's client again
  },
  "tls-recv-flags": {
    python: /request.recv -> !ValueError/,
    here: /request.recv -> b\\x22abcd/,
  },
  "tls-verify-first": {
    python: /^c = create_tls_connection -> <c>$/,
    here: /^c = create_tls_connection -> !(SSLEOFError|ConnectionResetError) /,
  },
  "unix-shut-rd": {
    python: /^x.send -> !BrokenPipeError EPIPE$/,
    here: /^x.send -> [01]$/,
  },
};

/**
 * Asserts that the transcripts of a scenario differ only as the rows say that it names in `differs`, and those that may
 * show everywhere.
 *
 * @returns The rows that showed.
 */
export function assertSame(
  python: string[],
  here: string[],
  differs: string[] = [],
): Set<string> {
  const shown = new Set<string>();
  const rows = Object.entries(DIFFERENCES)
    .filter(([name, row]) => row.everywhere || differs.includes(name));
  const [theirs, ours] = [lines(python), lines(here)];
  for (let i = 0; i < Math.max(theirs.length, ours.length); i++) {
    if (theirs[i] === ours[i]) continue;
    const row = rows.find(([, row]) =>
      row.python.test(theirs[i] ?? "") && row.here.test(ours[i] ?? "")
    );
    if (row === undefined) assertEquals(here, python); // shows both
    else shown.add(row[0]);
  }
  return shown;
}

/** The lines of a transcript, and apart those that a handler told its client. */
function lines(transcript: string[]): string[] {
  return transcript.flatMap((line) => line.split(/(?<= -> .*)\\x0a(?=.* -> )/));
}
