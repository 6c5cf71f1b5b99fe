/** Encodings: their names, and the ends of their ranges. `text_stream_test.ts` compares them with CPython. */

import { BufferedReader, TextReader } from "../../mod.ts";
import {
  type Decode,
  decoderFor,
  encoderFor,
} from "../../internal/files/codecs.ts";
import { assertEquals, assertInstanceOf, assertThrows } from "../deps.ts";
import { fromLatin1, latin1 } from "../helpers/bytes.ts";
import { FakeSource } from "../helpers/fakes.ts";
import { endOfTurn } from "../helpers/turns.ts";

Deno.test("decoderFor() and encoderFor() accept each of Python's spellings of an encoding", () => {
  for (const name of ["latin-1", "Latin1", " ISO_8859_1 ", "iso8859-1"]) {
    assertEquals(decoderFor(name, "strict")(fromLatin1("\x80"), true), "\x80");
    assertEquals(latin1(encoderFor(name, "strict")("\x80")), "\x80");
  }
  for (const name of ["utf-8", "UTF8", " utf_8\n"]) {
    assertEquals(
      decoderFor(name, "strict")(fromLatin1("\xc3\xa9"), true),
      "é",
    );
    assertEquals(latin1(encoderFor(name, "strict")("é")), "\xc3\xa9");
  }
});

Deno.test("encoderFor() encodes the last character of an encoding, and none beyond", () => {
  for (const [name, last] of [["ascii", 0x7f], ["latin-1", 0xff]] as const) {
    const encode = encoderFor(name, "strict");
    assertEquals(encode(String.fromCharCode(last)), Uint8Array.of(last));
    assertThrows(() => encode(String.fromCharCode(last + 1)), TypeError);
    assertThrows(() => encode("\u{1f600}"), TypeError);
  }
});

Deno.test("encoderFor() replaces or drops each lone surrogate", () => {
  const text = "\ud800a\udc00b\u{1f600}";
  for (const [errors, lone] of [["replace", "?"], ["ignore", ""]] as const) {
    assertEquals(
      new TextDecoder().decode(encoderFor("utf-8", errors)(text)),
      `${lone}a${lone}b\u{1f600}`,
    );
  }
});

Deno.test("decoderFor() says why an encoding is unknown", () => {
  const error = assertThrows(
    () => decoderFor("klingon", "strict"),
    RangeError,
  ) as RangeError;
  assertInstanceOf(error.cause, RangeError);
});

Deno.test("decoderFor() decodes a chunk of any size", () => {
  const chunk = new Uint8Array(1 << 21).fill(0xe9);
  const text = decoderFor("latin-1", "strict")(chunk, true);
  assertEquals(text.length, 1 << 21);
  assertEquals(text.at(0), "é");
  assertEquals(text.at(-1), "é");
});

Deno.test("decoderFor() keeps no state of a text that has ended", () => {
  for (const [first, second] of [["\xef\xbf", "\xbd"], ["\xe2\x82", "\xac"]]) {
    const decoders: Decode[] = [
      decoderFor("utf-8", "ignore"),
      decoderFor("utf-8", "replace"),
    ];
    for (const [at, decode] of decoders.entries()) {
      const stands = at === 0 ? "" : "\ufffd";
      assertEquals(decode(fromLatin1(first), false), "");
      assertEquals(decode(new Uint8Array(0), true), stands);
      assertEquals(decode(fromLatin1(second), true), stands);
    }
  }
});

Deno.test("TextReader.read() that nobody awaits causes no unhandled rejection if the data cannot be decoded", async () => {
  for (const encoding of ["utf-8", "ascii"]) {
    const source = new FakeSource(Uint8Array.of(0xff));
    using file = new TextReader(new BufferedReader(source), { encoding });
    file.read(); // an unhandled rejection would fail the test
    await endOfTurn();
    assertEquals(await file.read(), "");
  }
});
