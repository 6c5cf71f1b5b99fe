/**
 * The part of npm:dns-packet that `examples/dns.ts` uses. Its published types need those of Node.js, which
 * differ from Deno's.
 *
 * @module
 */

/** A record, with the data of its type. */
export type Answer =
  | StringAnswer
  | TxtAnswer
  | MxAnswer
  | SoaAnswer
  | OptAnswer;

interface RecordOf<T extends string, D> {
  type: T;
  name: string;
  /** Seconds. */
  ttl: number;
  data: D;
}

/** An address, or a name. */
export type StringAnswer = RecordOf<"A" | "AAAA" | "CNAME" | "NS", string>;
/** Byte strings, each a `Buffer`. */
export type TxtAnswer = RecordOf<"TXT", Uint8Array[]>;
/** A mail server. */
export type MxAnswer = RecordOf<
  "MX",
  { preference: number; exchange: string }
>;
/** The start of a zone; times are in seconds. */
export type SoaAnswer = RecordOf<
  "SOA",
  {
    mname: string;
    rname: string;
    serial: number;
    refresh: number;
    retry: number;
    expire: number;
    minimum: number;
  }
>;

/** The record that EDNS adds to a message. */
export interface OptAnswer {
  type: "OPT";
  name: string;
  udpPayloadSize: number;
  extendedRcode: number;
  ednsVersion: number;
  flags: number;
  options: unknown[];
}

/** A question. A type or a class that the codec does not know is "UNKNOWN_" and the number. */
export interface Question {
  name: string;
  type: string;
  class: string;
}

/** A message to encode. */
export interface Packet {
  type: "query" | "response";
  id: number;
  /** The second word of the header, without its first bit. */
  flags?: number;
  questions?: Partial<Question>[];
  answers?: Answer[];
  authorities?: Answer[];
  additionals?: Answer[];
}

/** A decoded message. */
export interface DecodedPacket {
  flags: number;
  rcode: string;
  questions: Question[];
  answers: Answer[];
  authorities: Answer[];
  additionals: Answer[];
}

interface Codec {
  readonly AUTHORITATIVE_ANSWER: number;
  readonly TRUNCATED_RESPONSE: number;
  readonly RECURSION_DESIRED: number;
  readonly DNSSEC_OK: number;
  /** Encodes a message into a `Buffer`. */
  encode(packet: Packet): Uint8Array<ArrayBuffer>;
  /** Decodes a `Buffer`. Throws a plain Error if it is malformed. */
  decode(message: Uint8Array): DecodedPacket;
}

declare const codec: Codec;
export default codec;
