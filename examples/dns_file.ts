/**
 * Reads a master file, the text of a zone (RFC 1035, section 5). For `examples/dns.ts`.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { AF_INET, AF_INET6, inetPton } from "@socketserver/socketserver";
import { Zone, type ZoneRecord } from "./dns_zone.ts";

/** A line of a master file, or several in parentheses. */
interface Entry {
  line: number;
  /** Whether the line begins with a blank, and so belongs to the previous name. */
  indented: boolean;
  words: string[];
}

const TOKEN =
  /(?<end>\n)|(?<skip>[ \t\r]+|;.*)|(?<paren>[()])|"(?<quoted>(?:[^"\\\n]|\\.)*)"|(?<word>[^\s();"]+)|(?<bad>.)/g;

function* entries(text: string): Generator<Entry> {
  let line = 1;
  let depth = 0;
  let entry: Entry = { line, indented: /^[ \t]/.test(text), words: [] };
  for (const { 0: all, index, groups } of `${text}\n`.matchAll(TOKEN)) {
    const { end, paren, quoted, word, bad } = groups!;
    if (bad !== undefined) throw new Error(`line ${line}: unexpected ${bad}`);
    if (paren !== undefined) depth += paren === "(" ? 1 : -1;
    const said = quoted ?? word;
    if (said !== undefined) entry.words.push(unescape(said));
    if (end === undefined) continue;
    line++;
    if (depth > 0) continue;
    if (entry.words.length > 0) yield entry;
    const next = text[index + all.length];
    entry = { line, indented: next === " " || next === "\t", words: [] };
  }
  if (depth !== 0) throw new Error(`line ${entry.line}: "(" without ")"`);
}

/** Decodes an escape: `\DDD` is the byte of that number, and `\X` is X. */
function unescape(word: string): string {
  return word.replace(
    /\\(\d{3}|.)/g,
    (_all, code: string) =>
      code.length === 3 ? String.fromCharCode(Number(code)) : code,
  );
}

/** Returns a duration such as "1h30m" in seconds; undefined if it is malformed. */
function seconds(word: string): number | undefined {
  if (!/^(\d+[smhdw]?)+$/i.test(word)) return undefined;
  const UNITS = { s: 1, m: 60, h: 3600, d: 86400, w: 604800 };
  let total = 0;
  for (const [, count, unit] of word.matchAll(/(\d+)([smhdw]?)/gi)) {
    const factor = UNITS[(unit.toLowerCase() || "s") as keyof typeof UNITS];
    total += Number(count) * factor;
  }
  return total;
}

function number(word: string, max = 0xffffffff): number {
  const value = seconds(word);
  if (value === undefined || value > max) throw new Error(`bad number ${word}`);
  return value;
}

function address(word: string, family: number): string {
  inetPton(family, word); // throws what is wrong
  return word;
}

function string(word: string): Uint8Array {
  if (word.length > 255) throw new Error("a string has at most 255 bytes");
  return Uint8Array.from(word, (character) => character.charCodeAt(0));
}

/** Reads the data of each type; `name` makes names absolute. */
const DATA: Record<
  string,
  (words: string[], name: (word: string) => string) => unknown
> = {
  A: ([word]) => address(word, AF_INET),
  AAAA: ([word]) => address(word, AF_INET6),
  CNAME: ([word], name) => name(word),
  NS: ([word], name) => name(word),
  MX: ([preference, exchange], name) => ({
    preference: number(preference, 0xffff),
    exchange: name(exchange),
  }),
  TXT: (words) => words.map((word) => Buffer.from(string(word))),
  SOA: ([mname, rname, ...times], name) => {
    const [serial, refresh, retry, expire, minimum] = times.map((time) =>
      number(time)
    );
    const names = { mname: name(mname), rname: name(rname) };
    return { ...names, serial, refresh, retry, expire, minimum };
  },
};
/** How many words the data of each type has; a TXT record has at least one. */
const WORDS: Record<string, number> = { MX: 2, SOA: 7 };

/** The state between the lines of a file. */
class Reader {
  readonly records: ZoneRecord[] = [];
  #origin = "";
  #ttl: number | undefined;
  #owner: string | undefined;

  read({ indented, words }: Entry): void {
    if (words[0].startsWith("$")) return this.#control(words);
    if (!indented) this.#owner = this.#name(words.shift()!);
    if (this.#owner === undefined) throw new Error("no name before this line");
    let ttl = this.#ttl;
    for (; words.length > 0; words.shift()) {
      const time = seconds(words[0]);
      if (time !== undefined) ttl = time;
      else if (words[0].toUpperCase() !== "IN") break;
    }
    if (ttl === undefined) throw new Error("no time to live, and no $TTL");
    this.#record(this.#owner, ttl, words);
  }

  #control([name, value = "", ...more]: string[]): void {
    if (more.length > 0) throw new Error(`${name} with too many words`);
    if (name === "$ORIGIN") this.#origin = this.#name(value);
    else if (name === "$TTL") this.#ttl = number(value);
    else throw new Error(`no ${name} here`);
  }

  #record(name: string, ttl: number, [first = "", ...words]: string[]): void {
    const type = first.toUpperCase();
    if (!Object.hasOwn(DATA, type)) throw new Error(`no type "${first}" here`);
    const right = type === "TXT"
      ? words.length > 0
      : words.length === (WORDS[type] ?? 1);
    if (!right) throw new Error(`${type} with ${words.length} words`);
    const data = DATA[type](words, (word) => this.#name(word));
    this.records.push({ name, type, ttl, data } as ZoneRecord);
  }

  /** Returns a name with the origin appended, unless it ends with a dot. */
  #name(word: string): string {
    const relative = [word, this.#origin].filter(Boolean).join(".");
    const absolute = word.endsWith(".") ? word.slice(0, -1) : relative;
    const name = word === "@" ? this.#origin : absolute;
    const lengths = name.split(".").map(({ length }) => length);
    if (lengths.some((length) => length < 1 || length > 63)) {
      throw new Error(`bad name "${word}"`);
    }
    if (name.length > 253) throw new Error(`too long a name "${word}"`);
    return name;
  }
}

/**
 * Reads a master file: `$ORIGIN`, `$TTL`, and records of the types above, of class IN.
 *
 * @throws {Error} with the line and the reason.
 */
export function parseZone(text: string): Zone {
  const reader = new Reader();
  for (const entry of entries(text)) {
    try {
      reader.read(entry);
    } catch (cause) {
      const reason = (cause as Error).message;
      throw new Error(`line ${entry.line}: ${reason}`, { cause });
    }
  }
  return new Zone(reader.records);
}
