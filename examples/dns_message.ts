/**
 * Answers a message of the domain name system. For `examples/dns.ts`.
 *
 * @module
 */
import { Buffer } from "node:buffer";
// @ts-types="./dns_packet.d.ts"
import codec from "npm:dns-packet@5.6.1";
import type { Answer, OptAnswer } from "./dns_packet.d.ts";
import type { Finding, Zone } from "./dns_zone.ts";

const HEADER_SIZE = 12;
/** The fewest bytes of a record: one for a root name, and ten for type, class, time and length. */
const RECORD_SIZE = 11;
/** The fewest bytes of a question: one for a root name, and four for type and class. */
const QUESTION_SIZE = 5;
/** The most bytes over UDP for a client without EDNS (RFC 1035, section 2.3.4). */
const UDP_SIZE = 512;
/** The most bytes that cross networks without fragments: the DNS flag day of 2020. */
const EDNS_SIZE = 1232;

/** The bits of the header that an answer copies: the opcode and "recursion desired". */
const KEPT = 0b1111 << 11 | codec.RECURSION_DESIRED;
const RCODES = { NOERROR: 0, FORMERR: 1, NXDOMAIN: 3, NOTIMP: 4, REFUSED: 5 };
/** The upper bits of the code of a wrong EDNS version, 16, which go into the OPT record. */
const BADVERS = 1;

/** The question of a query. */
interface Query {
  /** The bytes of the question, to be sent back. */
  question: Uint8Array;
  name: string;
  type: string;
  class: string;
}

/** The readable parts of a message. */
interface Request {
  /** The OPT record of a client with EDNS. Each answer, and each error, must have one too (RFC 6891, section 6.1.1). */
  edns?: OptAnswer;
  /** Undefined if the message is malformed. */
  query?: Query;
}

/** The parts of an answer after the header. */
interface Reply extends Request, Partial<Finding> {
  truncated?: boolean;
  extendedRcode?: number;
}

/**
 * Answers a query.
 *
 * @param zone The zone.
 * @param message The query, without a length.
 * @param overUdp Whether the answer must fit into a datagram.
 * @returns The answer; empty if the message is a response or has no header, and must not be answered.
 */
export function respond(
  zone: Zone,
  message: Uint8Array,
  overUdp: boolean,
): Uint8Array {
  if (message.length < HEADER_SIZE || message[2] & 0x80) {
    return new Uint8Array();
  }
  const request = decode(message);
  const { edns, query } = request;
  if (message[2] >> 3 & 0b1111) {
    return encode(message, RCODES.NOTIMP, { edns });
  }
  if (query === undefined) return encode(message, RCODES.FORMERR, { edns });
  if (edns?.ednsVersion) {
    const extendedRcode = BADVERS;
    return encode(message, RCODES.NOERROR, { ...request, extendedRcode });
  }
  const served = query.class === "IN" && !/^[AI]XFR$/.test(query.type);
  if (!served) return encode(message, RCODES.REFUSED, request);
  const found = zone.find(query.name, query.type);
  const rcode = RCODES[found.rcode];
  const whole = encode(message, rcode, { ...request, ...found });
  if (whole.length <= room(edns, overUdp)) return whole;
  return encode(message, rcode, { ...request, answers: [], truncated: true });
}

/** Returns the most bytes of an answer. */
function room(edns: OptAnswer | undefined, overUdp: boolean): number {
  if (!overUdp) return 65535;
  const wanted = Math.max(edns?.udpPayloadSize ?? 0, UDP_SIZE);
  return Math.min(wanted, EDNS_SIZE);
}

/** Reads the readable parts of a message. */
function decode(message: Uint8Array): Request {
  const bytes = Buffer.from(message.buffer, message.byteOffset, message.length);
  const [count, ...counts] = [4, 6, 8, 10].map((at) => bytes.readUInt16BE(at));
  const records = counts.reduce((sum, each) => sum + each);
  const least = count * QUESTION_SIZE + records * RECORD_SIZE;
  if (least > bytes.length) return {};
  try {
    const { questions, answers, authorities, additionals } = codec.decode(
      bytes,
    );
    const [edns, ...more] = additionals.filter(isOpt);
    const misplaced = [...answers, ...authorities].some(isOpt);
    const wrong = more.length > 0 || misplaced || (edns && edns.name !== ".");
    if (count !== 1 || wrong) return { edns };
    const [name, question] = readQuestion(message) ?? [];
    if (name === undefined || question === undefined) return { edns };
    const { type, class: ofClass } = questions[0];
    return { edns, query: { question, name, type, class: ofClass } };
  } catch (error) {
    if (error instanceof Error) return {}; // the codec has no class of its own
    throw error;
  }
}

const isOpt = (record: Answer): record is OptAnswer => record.type === "OPT";

/**
 * Reads the question, which the codec cannot return byte for byte: its name in lower case, with "\046" for a
 * dot inside a label, and all of its bytes. Undefined if the name is malformed.
 */
function readQuestion(
  message: Uint8Array,
): [name: string, question: Uint8Array] | undefined {
  const labels: string[] = [];
  let at = HEADER_SIZE;
  for (let length; (length = message[at]) > 0; at += 1 + length) {
    if (length > 63) return undefined; // a pointer, with nothing to point at
    const label = message.subarray(at + 1, at + 1 + length);
    labels.push(String.fromCharCode(...label).replaceAll(".", "\\046"));
  }
  const name = labels.join(".").replace(/[A-Z]/g, (c) => c.toLowerCase());
  return [name, message.subarray(HEADER_SIZE, at + 5)];
}

function encode(
  message: Uint8Array,
  rcode: number,
  { edns, query, answers, authorities, truncated, extendedRcode }: Reply,
): Uint8Array {
  const kept = (message[2] << 8 | message[3]) & KEPT;
  const authoritative = answers !== undefined && rcode !== RCODES.REFUSED;
  const packet = codec.encode({
    type: "response",
    id: message[0] << 8 | message[1],
    flags: kept | rcode | (authoritative ? codec.AUTHORITATIVE_ANSWER : 0) |
      (truncated ? codec.TRUNCATED_RESPONSE : 0),
    answers,
    authorities,
    additionals: edns === undefined ? [] : [ednsOf(edns, extendedRcode)],
  });
  if (query === undefined) return packet;
  packet[5] = 1; // the count of questions
  const [header, rest] = [
    packet.subarray(0, HEADER_SIZE),
    packet.subarray(HEADER_SIZE),
  ];
  return Buffer.concat([header, query.question, rest]); // the codec writes no pointers
}

function ednsOf(
  { flags }: OptAnswer,
  extendedRcode = 0,
): OptAnswer {
  return {
    name: ".",
    type: "OPT",
    udpPayloadSize: EDNS_SIZE,
    extendedRcode,
    ednsVersion: 0,
    flags: flags & codec.DNSSEC_OK,
    options: [],
  };
}
